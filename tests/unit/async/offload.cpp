#include "async/offload.h"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <thread>

#include "async/task.h"

using namespace weir;

namespace {

struct Bench {
  SteadyClock clock;
  Loop loop{clock};

  template <class Condition>
  void poll_until(Condition holds) {
    while (!holds()) {
      loop.poll();
      std::this_thread::yield();
    }
  }
};

Task<std::thread::id> thread_of_work(Loop& loop) {
  co_return co_await offload(loop, [] { return std::this_thread::get_id(); });
}

/// Work that goes on until the test lets it.
struct Gate {
  std::atomic<bool> has_begun = false;
  std::atomic<bool> may_end = false;
  int pass() {
    has_begun = true;
    may_end.wait(false);
    return 7;
  }
  void open() {
    may_end = true;
    may_end.notify_all();
  }
};

Task<> wait_at(Loop& loop, std::shared_ptr<Gate> gate, int& result) {
  result = co_await offload(loop, [gate] { return gate->pass(); });
}

}  // namespace

TEST_CASE("offload: work runs on another thread, its result comes back to the loop's") {
  Bench bench;
  auto task = thread_of_work(bench.loop);
  REQUIRE_FALSE(task.start());
  bench.poll_until([&] { return task.is_done(); });
  CHECK(task.take() != std::this_thread::get_id());
}

TEST_CASE("offload: the loop goes on while the work waits") {
  Bench bench;
  const auto gate = std::make_shared<Gate>();
  int result = 0;
  auto waiting = wait_at(bench.loop, gate, result);
  waiting.start();
  bench.poll_until([&] { return gate->has_begun.load(); });
  auto other = thread_of_work(bench.loop);
  other.start();
  bench.poll_until([&] { return other.is_done(); });
  CHECK_FALSE(waiting.is_done());
  gate->open();
  bench.poll_until([&] { return waiting.is_done(); });
  CHECK(result == 7);
}

TEST_CASE("offload: when the awaiter is destroyed the work ends all the same, and its result is dropped") {
  const auto gate = std::make_shared<Gate>();
  int result = 0;
  {
    Bench bench;
    auto waiting = wait_at(bench.loop, gate, result);
    waiting.start();
    bench.poll_until([&] { return gate->has_begun.load(); });
    waiting.reset();
    gate->open();
  }  // the loop waits for the work
  CHECK(result == 0);
  CHECK(gate.use_count() == 1);
}

TEST_CASE("offload: what the work holds is destroyed on the pool's thread") {
  struct Tells {
    explicit Tells(std::thread::id& where) : where(where) {}
    ~Tells() { where = std::this_thread::get_id(); }
    std::thread::id& where;
  };
  Bench bench;
  std::thread::id where;
  offload_unattended(bench.loop, [tells = std::make_shared<Tells>(where)]() mutable { tells.reset(); });
  bench.poll_until([&] {
    auto task = thread_of_work(bench.loop);
    task.start();
    bench.poll_until([&] { return task.is_done(); });
    return where != std::thread::id();
  });
  CHECK(where != std::this_thread::get_id());
}
