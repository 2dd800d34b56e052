#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "store/memory_store.h"

using namespace weir;
using namespace weir::store;

TEST_CASE("memory store: workers that take at once get no more than the limit gives") {
  const ManualClock clock;
  MemoryStore store(clock);
  const Limit wide{"wide", Limit::Algorithm::gcra, 1, std::chrono::hours(1), 500};
  const Limit narrow{"narrow", Limit::Algorithm::fixed_window, 300, std::chrono::hours(1)};
  std::atomic<int> admitted = 0;
  const auto work = [&] {
    BlockPool blocks(8 * 1024);
    for (int i = 0; i < 500; ++i) {
      Arena arena(blocks);
      const Take both[] = {{wide, "a"}, {narrow, "b"}};
      auto call = store.take({arena}, both);
      call.start();
      admitted += call.take()->allowed;
    }
  };
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) workers.emplace_back(work);
  for (auto& worker : workers) worker.join();
  CHECK(admitted == 300);
}

TEST_CASE("memory store: workers that fill it at once keep within its bound, and a used-up quota stays so") {
  const ManualClock clock;
  MemoryStore store(clock, {.quotas = Bytes{64 << 10}});
  const Limit limit{"api", Limit::Algorithm::gcra, 1, std::chrono::hours(1), 1};
  const auto take = [&](std::string_view client, std::string_view key) {
    BlockPool blocks(8 * 1024);
    Arena arena(blocks);
    const Take one[] = {{limit, key, 1, client}};
    auto call = store.take({arena}, one);
    call.start();
    return call.take()->allowed;
  };
  REQUIRE(take("192.0.2.1", "used up"));
  std::vector<std::thread> workers;
  for (int worker = 0; worker < 4; ++worker) {
    workers.emplace_back([&, worker] {
      for (int i = 0; i < 2000; ++i) take("192.0.2.66", std::to_string(worker) + "." + std::to_string(i));
    });
  }
  for (auto& worker : workers) worker.join();
  CHECK(store.usage().bytes <= 64 << 10);
  CHECK_FALSE(take("192.0.2.1", "used up"));
}
