#include "async/shared_runs.h"

#include "async/sleep.h"
#include "unit/loop_bench.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

struct Bench : LoopBench {
  SharedRuns<int> runs{loop};
  int begun = 0;

  Task<int> job() {
    const int number = ++begun;
    co_await sleep_for(loop, 10ms);
    if (number == breaks) throw std::runtime_error("broken");
    co_return number;
  }
  Task<int> ask() {
    auto task = runs.run([this] { return job(); });
    task.start();
    return task;
  }
  int breaks = 0;
};

}  // namespace

TEST_CASE("shared runs: whoever asks during a run shares the next one") {
  Bench bench;
  auto first = bench.ask();
  std::vector<Task<int>> others;
  for (int i = 0; i < 100; ++i) others.push_back(bench.ask());
  bench.pass(100ms, 10ms);
  REQUIRE(first.is_done());
  CHECK(first.take() == 1);
  for (auto& other : others) {
    REQUIRE(other.is_done());
    CHECK(other.take() == 2);
  }
  CHECK(bench.begun == 2);
}

TEST_CASE("shared runs: who asks after a run began doesn't get its outcome") {
  Bench bench;
  auto first = bench.ask();
  bench.pass(5ms, 5ms);
  auto second = bench.ask();
  bench.pass(10ms, 5ms);
  auto third = bench.ask();
  bench.pass(100ms, 5ms);
  CHECK(first.take() == 1);
  CHECK(second.take() == 2);
  CHECK(third.take() == 3);
}

TEST_CASE("shared runs: an exception reaches all who share the run, and no others") {
  Bench bench;
  bench.breaks = 2;
  auto first = bench.ask();
  auto second = bench.ask();
  auto third = bench.ask();
  bench.pass(100ms, 5ms);
  CHECK(first.take() == 1);
  CHECK_THROWS(second.take());
  CHECK_THROWS(third.take());
  auto fourth = bench.ask();
  bench.pass(100ms, 5ms);
  CHECK(fourth.take() == 3);
}

}  // namespace weir
