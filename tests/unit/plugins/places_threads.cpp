#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "plugins/concurrency_limit/places.h"

using namespace weir;
using namespace weir::plugins;

TEST_CASE("concurrency_limit: of many threads, no more than its places are in a key, and rooms come and go") {
  Places places{{}};
  constexpr int kKeys = 40;
  std::array<std::atomic<int>, kKeys> inside{};
  std::atomic<int> most = 0;
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (unsigned i = 0; i < 5000; ++i) {
        const unsigned key = (i * 7 + thread) % kKeys;
        const auto visit = places.enter(std::to_string(key), 2, 1000, std::to_string(thread));
        const auto permit = visit.semaphore().try_acquire();
        if (!permit) continue;
        const int now = ++inside[key];
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        --inside[key];
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(most <= 2);
  CHECK(most > 0);
}
