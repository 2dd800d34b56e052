#include "async/timer_wheel.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <vector>

namespace weir {
namespace {

struct Bench {
  std::vector<uint64_t> advance(uint64_t to) {
    List<Ready> due;
    wheel.advance(to, due);
    std::vector<uint64_t> ticks;
    while (Ready* timer = due.pop_front()) ticks.push_back(static_cast<TimerNode*>(timer)->tick);
    return ticks;
  }
  TimerNode& at(uint64_t tick) {
    wheel.insert(timers.emplace_back(), tick);
    return timers.back();
  }

  TimerWheel wheel{0};
  std::deque<TimerNode> timers;
};

using Ticks = std::vector<uint64_t>;

/// A wheel beside a sorted map that does the same.
struct Race {
  explicit Race(unsigned seed) : chance(seed), timers(200) {}
  ~Race() {
    for (auto& timer : timers) timer.unlink();
  }

  /// Near or far, up to some days of ticks.
  uint64_t any_distance() { return chance() >> (32 + chance() % 32); }
  TimerNode& any_timer() { return timers[chance() % timers.size()]; }

  void insert(TimerNode& timer) {
    cancel(timer);
    const uint64_t tick = now + any_distance();
    wheel.insert(timer, tick);
    model.emplace(std::max(tick, now + 1), &timer);
  }
  void cancel(TimerNode& timer) {
    timer.unlink();
    std::erase_if(model, [&](const auto& entry) { return entry.second == &timer; });
  }
  void advance() {
    now += any_distance();
    List<Ready> due;
    wheel.advance(now, due);
    uint64_t last = 0;
    while (Ready* ready = due.pop_front()) {
      auto* timer = static_cast<TimerNode*>(ready);
      REQUIRE(timer->tick <= now);   // never early
      REQUIRE(timer->tick >= last);  // in order
      last = timer->tick;
      const auto [begin, end] = model.equal_range(timer->tick);
      const auto found = std::find_if(begin, end, [&](const auto& entry) { return entry.second == timer; });
      REQUIRE(found != end);
      model.erase(found);
    }
    REQUIRE((model.empty() || model.begin()->first > now));  // none forgotten
    const auto next = wheel.next();
    REQUIRE(next.has_value() == !model.empty());
    if (next) REQUIRE(*next <= model.begin()->first);
  }

  std::mt19937_64 chance;
  uint64_t now = 0;
  TimerWheel wheel{0};
  std::multimap<uint64_t, TimerNode*> model;
  std::vector<TimerNode> timers;
};

}  // namespace

TEST_CASE("timer wheel: fires at its tick, not before") {
  Bench bench;
  bench.at(5);
  CHECK(bench.advance(4).empty());
  CHECK(bench.advance(5) == Ticks{5});
  CHECK(bench.advance(1000).empty());
}

TEST_CASE("timer wheel: what one advance fires comes in the order of the ticks, from all levels") {
  Bench bench;
  for (const uint64_t tick : {300'000ul, 63ul, 4096ul, 64ul, 1ul, 5000ul, 65ul}) bench.at(tick);
  CHECK(bench.advance(400'000) == Ticks{1, 63, 64, 65, 4096, 5000, 300'000});
}

TEST_CASE("timer wheel: a timer of a high level moves down and keeps its tick") {
  Bench bench;
  bench.at(70'003);
  for (uint64_t tick = 0; tick < 70'003; tick += 7) REQUIRE(bench.advance(tick).empty());
  CHECK(bench.advance(70'002).empty());
  CHECK(bench.advance(70'003) == Ticks{70'003});
}

TEST_CASE("timer wheel: a tick that has passed fires on the next advance") {
  Bench bench;
  bench.advance(100);
  bench.at(7);
  CHECK(bench.advance(101) == Ticks{101});
}

TEST_CASE("timer wheel: a cancelled timer doesn't fire and isn't waited for") {
  Bench bench;
  bench.at(5).unlink();
  CHECK(bench.wheel.next() == std::nullopt);
  CHECK(bench.advance(10).empty());
}

TEST_CASE("timer wheel: next says when there is something to do, never too late") {
  Bench bench;
  bench.at(5000);
  uint64_t steps = 0;
  for (;; ++steps) {
    const auto next = bench.wheel.next();
    REQUIRE(next.has_value());
    REQUIRE(*next <= 5000);
    if (!bench.advance(*next).empty()) break;
  }
  CHECK(steps <= 6);
}

TEST_CASE("timer wheel: a timer further away than its levels reach waits, and fires at its tick") {
  constexpr uint64_t kFar = (uint64_t{1} << 36) + 5;  // nearly nine years of 4 ms
  Bench bench;
  bench.at(kFar);
  CHECK(bench.advance(100).empty());
  CHECK(bench.advance(kFar - 1).empty());
  CHECK(bench.advance(kFar) == Ticks{kFar});
}

TEST_CASE("timer wheel: does what a sorted map does") {
  for (unsigned seed = 0; seed < 30; ++seed) {
    CAPTURE(seed);
    Race race(seed);
    for (int i = 0; i < 3000; ++i) {
      const auto dice = race.chance() % 10;
      if (dice < 6) race.insert(race.any_timer());
      if (dice == 6 || dice == 7) race.cancel(race.any_timer());
      if (dice > 7) race.advance();
    }
  }
}

}  // namespace weir
