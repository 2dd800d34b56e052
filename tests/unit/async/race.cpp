#include "async/race.h"

#include <doctest/doctest.h>

#include <stdexcept>

#include "unit/loop_bench.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

struct Bench : LoopBench {
  Names gone;

  Task<int> after(Duration delay, int value) {
    const Mourned frame(gone, std::to_string(value));
    co_await sleep_for(loop, delay);
    co_return value;
  }
  Task<int> throws_after(Duration delay) {
    co_await sleep_for(loop, delay);
    throw std::runtime_error("oh");
  }
  Task<int> at_once(int value) { co_return value; }
};

using Finish = std::variant<int, int>;

}  // namespace

TEST_CASE("race: the first to end wins, and the other is gone by then") {
  Bench bench;
  auto race = weir::race(bench.loop, bench.after(2s, 1), bench.after(1s, 2));
  CHECK_FALSE(race.start());
  bench.advance(1s);
  REQUIRE(race.is_done());
  CHECK(race.take() == Finish(std::in_place_index<1>, 2));
  CHECK(bench.gone == Names{"2", "1"});
}

TEST_CASE("race: the left one wins when both end at once") {
  Bench bench;
  auto race = weir::race(bench.loop, bench.after(1s, 1), bench.after(1s, 2));
  race.start();
  bench.advance(1s);
  REQUIRE(race.is_done());
  CHECK(race.take() == Finish(std::in_place_index<0>, 1));
}

TEST_CASE("race: the right one doesn't start when the left one needs no time") {
  Bench bench;
  auto race = weir::race(bench.loop, bench.at_once(1), bench.after(1s, 2));
  REQUIRE(race.start());
  CHECK(race.take() == Finish(std::in_place_index<0>, 1));
  CHECK(bench.gone.empty());
}

TEST_CASE("race: a right one that needs no time wins over a left one that does") {
  Bench bench;
  auto race = weir::race(bench.loop, bench.after(1s, 1), bench.at_once(2));
  REQUIRE(race.start());
  CHECK(race.take() == Finish(std::in_place_index<1>, 2));
}

TEST_CASE("race: given up, it takes both with it") {
  Bench bench;
  auto race = weir::race(bench.loop, bench.after(1s, 1), bench.after(2s, 2));
  race.start();
  race.reset();
  CHECK(bench.gone.size() == 2);
  bench.advance(5s);
}

TEST_CASE("race: an exception ends it, early or late") {
  Bench bench;
  const auto late = bench.loop.now() + 1h;
  for (const Duration delay : {Duration{0}, Duration{1s}}) {
    auto race = weir::race(bench.loop, bench.throws_after(delay), bench.after(1h, 2));
    race.start();
    bench.advance(delay);
    REQUIRE(race.is_done());
    CHECK_THROWS_WITH(race.take(), "oh");
    auto timed = before(bench.loop, late, bench.throws_after(delay));
    timed.start();
    bench.advance(delay);
    REQUIRE(timed.is_done());
    CHECK_THROWS_WITH(timed.take(), "oh");
  }
}

TEST_CASE("before: gives the result when it comes in time") {
  Bench bench;
  auto task = before(bench.loop, bench.loop.now() + 2s, bench.after(1s, 7));
  task.start();
  bench.advance(1s);
  REQUIRE(task.is_done());
  CHECK(task.take() == 7);
  bench.advance(5s);
}

TEST_CASE("before: gives nothing at the deadline, and the task is gone") {
  Bench bench;
  auto task = before(bench.loop, bench.loop.now() + 1s, bench.after(1h, 7));
  task.start();
  bench.advance(999ms);
  CHECK_FALSE(task.is_done());
  bench.advance(8ms);
  REQUIRE(task.is_done());
  CHECK(task.take() == std::nullopt);
  CHECK(bench.gone == Names{"7"});
}

TEST_CASE("before: a result at the very deadline counts") {
  Bench bench;
  auto task = before(bench.loop, bench.loop.now() + 1s, bench.after(1s, 7));
  task.start();
  bench.advance(1s);
  REQUIRE(task.is_done());
  CHECK(task.take() == 7);
}

TEST_CASE("before: given up, it is never woken") {
  Bench bench;
  auto task = before(bench.loop, bench.loop.now() + 1s, bench.after(1h, 7));
  task.start();
  task.reset();
  CHECK(bench.gone == Names{"7"});
  bench.advance(2h);
}

}  // namespace weir
