#include "unit/plugins/bench.h"

using namespace weir;
using namespace weir::plugins;

namespace {

/// What `check` says of a rate_limit: its problems' places and texts.
std::string told(const std::string& settings) {
  FilterBench bench("filters:\n  - rate_limit: " + settings + "\n");
  std::string text;
  for (const auto& problem : bench.problems.all()) {
    text += (text.empty() ? "" : "\n") + problem.at.path + ": " + problem.message;
  }
  return text;
}

const std::string kAt = "filters[0].rate_limit";

}  // namespace

TEST_CASE("rate_limit settings: a rate alone is enough") {
  CHECK(told("100/minute") == "");
  CHECK(told("{ rate: 100/minute, burst: 20, key: client.ip }") == "");
}

TEST_CASE("rate_limit settings: nonsense is told at its place") {
  CHECK(told("0/minute") == kAt + ": '0/minute' is not a rate");
  CHECK(told("{ rate: 100/sec }") == kAt + ".rate: '100/sec' is not a rate");
  CHECK(told("{ rate: 1/second, burst: 0 }").starts_with(kAt + ".burst: "));
  CHECK(told("{ rate: 1/second, key: client_ip }") == kAt + ".key: 'client_ip' is not a key");
  CHECK(told("{ rate: 1/second, burts: 3 }").contains("unknown setting 'burts'"));
  CHECK(told("{ rate: 1/second, cost: 0 }") == kAt + ".cost: '0' is not a cost");
  CHECK(told("{ rate: 1/second, mode: off }").starts_with(kAt + ".mode: "));
  CHECK(told("{ rate: 1/second, exempt: [10.0.0.0/33] }") == kAt + ".exempt[0]: '10.0.0.0/33' is not a network");
  CHECK(told("{ rate: 1/second, exempt: { when: { plan: gold } } }").contains("'plan' is not a key"));
  CHECK(told("{ rate: 1/second, name: 'a b' }") == kAt + ".name: 'a b' is not a name for a limit");
}

TEST_CASE("rate_limit settings: there is one rate, or there are limits") {
  CHECK(told("{ burst: 3 }").contains("one of these is missing: "));
  CHECK(told("{ rte: 1/second }").contains("unknown setting 'rte'"));
  CHECK(told("{ mode: throttle }").contains("one of these is missing: "));
  CHECK(told("{ limits: [] }") != "");
  CHECK(told("{ rate: 1/second, limits: [ { name: a, rate: 1/day } ] }") != "");
  CHECK(told("{ limits: [ { name: a, rate: 1/day }, { name: a, rate: 1/hour } ] }") ==
        kAt + ".limits[1].name: two limits are called 'a'");
  CHECK(told("{ limits: [ { name: a, rate: 1/day }, { rate: 1/hour } ] }").contains("limits[1]"));
}

TEST_CASE("rate_limit settings: a cost or a lease beyond the burst would never be given") {
  CHECK(told("{ rate: 5/second, cost: 6 }") ==
        kAt + ".cost: costs more than the 5 that the limit gives at once: nothing would pass");
  CHECK(told("{ rate: 5/second, lease: 6 }") == kAt + ".lease: more than the 5 that the limit gives at once");
}

TEST_CASE("rate_limit settings: windows have no burst and no fractions, and throttle needs neither") {
  CHECK(told("{ rate: 5/second, burst: 6, algorithm: fixed_window }") == kAt + ".burst: a window has no burst");
  CHECK(told("{ rate: 0.5/second, algorithm: sliding_window }") == kAt + ".rate: a window counts whole requests");
  CHECK(told("{ rate: 5/second, algorithm: fixed_window, mode: throttle }") ==
        kAt + ".algorithm: throttle needs an even rate");
  CHECK(told("{ rate: 5/second, mode: throttle, lease: 2 }") == kAt + ".lease: throttle takes no leases");
}

TEST_CASE("rate_limit settings: a sliding log counts ten thousand at most, exactly") {
  CHECK(told("{ rate: 10000/minute, algorithm: sliding_log }") == "");
  CHECK(told("{ rate: 10001/minute, algorithm: sliding_log }") ==
        kAt + ".rate: a sliding_log remembers each request: 10000 at most");
  CHECK(told("{ rate: 5/second, algorithm: sliding_log, lease: 2 }") ==
        kAt + ".lease: a sliding_log is exact, leases are not");
}

TEST_CASE("rate_limit settings: what no store could count is refused") {
  CHECK(told("10000000/second") == kAt + ": too fast to be counted");
  CHECK(told("{ rate: 1/day, burst: 100000 }") == kAt + ".burst: such a burst takes a century to come back");
}
