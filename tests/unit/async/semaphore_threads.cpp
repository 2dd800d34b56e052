#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "async/semaphore.h"
#include "async/task_group.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

struct Bench {
  explicit Bench(uint32_t limit) : semaphore(limit) {}
  Task<Result<Semaphore::Permit>> ask(uint32_t queue = 10, Duration patience = 1s) {
    auto task = semaphore.acquire(loop, queue, loop.now() + patience);
    task.start();
    return task;
  }

  ManualClock clock;
  Loop loop{clock};
  Semaphore semaphore;
};

/// One worker of many: asks `rounds` times, and holds each permit for a turn of its loop.
Task<> use(Loop& loop, Semaphore& semaphore, std::atomic<int>& inside, std::atomic<int>& most, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    auto permit = co_await semaphore.acquire(loop, 1000, Time::max());
    if (!permit) co_return;
    const int now = ++inside;
    for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
    }
    co_await sleep_for(loop, Duration(1));
    --inside;
  }
}

}  // namespace

TEST_CASE("semaphore: gives as many permits as its limit, and takes them back") {
  Bench bench(2);
  auto first = bench.semaphore.try_acquire();
  const auto second = bench.semaphore.try_acquire();
  CHECK_FALSE(bench.semaphore.try_acquire().has_value());
  first.reset();
  CHECK(bench.semaphore.try_acquire().has_value());
}

TEST_CASE("semaphore: who waited first is served first, and nobody overtakes") {
  Bench bench(1);
  auto held = bench.semaphore.try_acquire();
  auto first = bench.ask();
  auto second = bench.ask();
  held.reset();
  CHECK_FALSE(bench.semaphore.try_acquire().has_value());
  bench.loop.poll();
  REQUIRE(first.is_done());
  CHECK_FALSE(second.is_done());
  first.reset();
  bench.loop.poll();
  CHECK(second.is_done());
}

TEST_CASE("semaphore: a place handed to a dead waiter moves on") {
  Bench bench(1);
  auto held = bench.semaphore.try_acquire();
  auto first = bench.ask();
  auto second = bench.ask();
  held.reset();
  first.reset();
  bench.loop.poll();
  REQUIRE(second.is_done());
  CHECK(second.take().has_value());
}

TEST_CASE("semaphore: two places freed at once serve two") {
  Bench bench(2);
  auto one = bench.semaphore.try_acquire();
  auto other = bench.semaphore.try_acquire();
  auto first = bench.ask();
  auto second = bench.ask();
  one.reset();
  other.reset();
  bench.loop.poll();
  bench.loop.poll();
  CHECK(first.is_done());
  CHECK(second.is_done());
}

TEST_CASE("semaphore: the line has an end, and so has patience") {
  Bench bench(1);
  const auto held = bench.semaphore.try_acquire();
  auto waits = bench.ask(1);
  auto refused = bench.ask(1);
  REQUIRE(refused.is_done());
  CHECK(refused.take().error().code == ErrorCode::overflow);
  bench.clock.advance(1010ms);
  bench.loop.poll();
  bench.loop.fire_timers();
  REQUIRE(waits.is_done());
  CHECK(waits.take().error().code == ErrorCode::queue_timeout);
  CHECK(bench.semaphore.waiting() == 0);
}

TEST_CASE("semaphore: a higher limit lets the waiting in") {
  Bench bench(0);
  auto first = bench.ask();
  auto second = bench.ask();
  bench.semaphore.set_limit(2);
  bench.loop.poll();
  bench.loop.poll();
  CHECK(first.is_done());
  CHECK(second.is_done());
}

TEST_CASE("semaphore: many workers never pass the limit, and all are served") {
  constexpr int kThreads = 4;
  constexpr int kTasks = 8;
  constexpr int kRounds = 25;
  Semaphore semaphore(3);
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      const SteadyClock clock;
      Loop loop(clock);
      TaskGroup group(loop);
      for (int task = 0; task < kTasks; ++task) group.spawn(use(loop, semaphore, inside, most, kRounds));
      while (group.size() > 0) loop.poll();
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(most <= 3);
  CHECK(inside == 0);
  CHECK(semaphore.in_use() == 0);
  CHECK(semaphore.waiting() == 0);
}

TEST_CASE("semaphore: workers that give up lose no place") {
  constexpr int kThreads = 4;
  Semaphore semaphore(2);
  std::atomic<int> served{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      const SteadyClock clock;
      Loop loop(clock);
      for (int round = 0; round < 200; ++round) {
        auto impatient = semaphore.acquire(loop, 1000, Time::max());
        auto patient = semaphore.acquire(loop, 1000, Time::max());
        impatient.start();
        patient.start();
        impatient.reset();
        while (!patient.is_done()) loop.poll();
        served += patient.take().has_value() ? 1 : 0;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(served == kThreads * 200);
  CHECK(semaphore.in_use() == 0);
}

}  // namespace weir
