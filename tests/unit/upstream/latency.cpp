#include "upstream/latency.h"

#include <doctest/doctest.h>

namespace weir::upstream {

using namespace std::chrono_literals;

TEST_CASE("usual latency: the first answer stands alone, each later one moves it by an eighth") {
  UsualLatency latency;
  CHECK(latency.value() == Duration{});
  latency.observe(8ms);
  CHECK(latency.value() == 8ms);
  latency.observe(16ms);
  CHECK(latency.value() == 9ms);
  latency.observe(1ms);
  CHECK(latency.value() == 8ms);
}

}  // namespace weir::upstream
