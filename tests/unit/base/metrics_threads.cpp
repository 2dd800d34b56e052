#include <doctest/doctest.h>

#include <thread>

#include "base/metrics.h"

using namespace weir;

TEST_CASE("counter: another thread reads it while its own counts, and never sees it go back") {
  Counter counter;
  std::thread writer([&] {
    for (int i = 0; i < 100'000; ++i) counter.add();
  });
  bool went_back = false;
  for (uint64_t last = 0; last < 100'000;) {
    const uint64_t seen = counter.value();
    went_back |= seen < last;
    last = seen;
  }
  writer.join();
  CHECK_FALSE(went_back);
}
