#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "async/broadcast.h"
#include "async/task.h"
#include "unit/loop_bench.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

Task<> listen(Broadcast& broadcast, Loop& loop, uint64_t seen, Time deadline, std::vector<bool>& heard) {
  const bool is_news = co_await broadcast.news(loop, seen, deadline);
  heard.push_back(is_news);
}

/// Until it has come to `most`.
Task<> follow(Broadcast& broadcast, Loop& loop, const std::atomic<int>& value, int most) {
  for (;;) {
    const auto seen = broadcast.count();
    if (value >= most) break;
    co_await broadcast.news(loop, seen);
  }
}

/// How long so many take to come, and to leave without news: the best of some tries.
std::chrono::steady_clock::duration time_to_leave(size_t count) {
  auto best = std::chrono::steady_clock::duration::max();
  for (int i = 0; i < 5; ++i) {
    LoopBench bench;
    Broadcast broadcast;
    std::vector<bool> heard;
    std::vector<Task<>> waiting;
    const auto begun = std::chrono::steady_clock::now();
    for (size_t k = 0; k < count; ++k) {
      waiting.push_back(listen(broadcast, bench.loop, 0, Time::max(), heard));
      waiting.back().start();
    }
    waiting.clear();
    best = std::min(best, std::chrono::steady_clock::now() - begun);
  }
  return best;
}

}  // namespace

TEST_CASE("broadcast: among many who wait, none is searched for when it leaves") {
  CHECK(time_to_leave(40'000) < 30 * time_to_leave(5'000));  // linear: 8; else 64
}

TEST_CASE("broadcast: one of many who leaves takes nobody else along") {
  LoopBench bench;
  Broadcast broadcast;
  std::vector<bool> heard;
  std::vector<Task<>> waiting;
  for (int i = 0; i < 5; ++i) {
    waiting.push_back(listen(broadcast, bench.loop, 0, Time::max(), heard));
    waiting.back().start();
  }
  waiting[1].reset();
  waiting[4].reset();
  waiting[0].reset();
  broadcast.notify();
  bench.settle();
  CHECK(heard == std::vector{true, true});
}

TEST_CASE("broadcast: all who wait hear of it, on the loop's next turn") {
  LoopBench bench;
  Broadcast broadcast;
  std::vector<bool> heard;
  auto first = listen(broadcast, bench.loop, 0, Time::max(), heard);
  auto second = listen(broadcast, bench.loop, 0, Time::max(), heard);
  first.start();
  second.start();
  broadcast.notify();
  CHECK(heard.empty());
  bench.settle();
  CHECK(heard == std::vector{true, true});
}

TEST_CASE("broadcast: who has missed news doesn't wait for more") {
  LoopBench bench;
  Broadcast broadcast;
  std::vector<bool> heard;
  const auto seen = broadcast.count();
  broadcast.notify();
  auto late = listen(broadcast, bench.loop, seen, Time::max(), heard);
  CHECK(late.start());
  CHECK(heard == std::vector{true});
}

TEST_CASE("broadcast: nobody waits past the deadline") {
  LoopBench bench;
  Broadcast broadcast;
  std::vector<bool> heard;
  auto task = listen(broadcast, bench.loop, 0, bench.loop.now() + 1s, heard);
  task.start();
  bench.advance(2s);
  CHECK(heard == std::vector{false});
}

TEST_CASE("broadcast: who goes while news is on its way isn't woken") {
  LoopBench bench;
  Broadcast broadcast;
  std::vector<bool> heard;
  auto task = listen(broadcast, bench.loop, 0, Time::max(), heard);
  task.start();
  broadcast.notify();
  task.reset();
  bench.settle();
  CHECK(heard.empty());
}

TEST_CASE("broadcast: loops on threads of their own miss nothing") {
  constexpr int kMost = 2000;
  const SteadyClock clock;
  Broadcast broadcast;
  std::atomic<int> value = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      Loop loop(clock);
      auto task = follow(broadcast, loop, value, kMost);
      task.start();
      while (!task.is_done()) loop.poll();
    });
  }
  for (int i = 0; i < kMost; ++i) {
    ++value;
    broadcast.notify();
  }
  for (auto& thread : threads) thread.join();
  CHECK(value == kMost);
}

}  // namespace weir
