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
