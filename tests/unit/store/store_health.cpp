#include "store/store_health.h"

#include <doctest/doctest.h>

#include <vector>

using namespace weir;
using namespace weir::store;
using namespace std::chrono_literals;

namespace {

struct Bench {
  static inline std::vector<std::string> changes;
  StoreHealth health{[](StoreState state, std::string_view, std::string_view cause) {
    changes.push_back(std::string(name_of(state)) + " " + std::string(cause));
  }};
  std::shared_ptr<ServerHealth> own = health.server("a");
  ServerHealth& server = *own;
  Time now{1h};

  Bench() { changes.clear(); }
  void fail(int times, ServerHealth& which) {
    for (int i = 0; i < times; ++i) health.failed(which, "timeout", now);
  }
  void fail(int times) { fail(times, server); }
};

}  // namespace

TEST_CASE("store health: a failure now and then changes nothing") {
  Bench bench;
  for (int i = 0; i < 10; ++i) {
    bench.fail(1);
    bench.health.succeeded(bench.server, bench.now);
    bench.now += 6s;
  }
  CHECK(bench.health.state() == StoreState::up);
}

TEST_CASE("store health: five failures in a row open the breaker, one call a second goes through") {
  Bench bench;
  bench.fail(4);
  CHECK(bench.server.admits(bench.now));
  bench.fail(1);
  CHECK(bench.health.state() == StoreState::down);
  CHECK_FALSE(bench.server.admits(bench.now));
  bench.now += 1s;
  CHECK(bench.server.admits(bench.now));
  CHECK_FALSE(bench.server.admits(bench.now));
  bench.now += 1s;
  CHECK(bench.server.admits(bench.now));
}

TEST_CASE("store health: one success closes the breaker; up comes after five quiet seconds") {
  Bench bench;
  bench.fail(5);
  bench.health.succeeded(bench.server, bench.now);
  CHECK(bench.server.admits(bench.now));
  CHECK(bench.health.state() == StoreState::degraded);
  bench.now += 4s;
  bench.health.succeeded(bench.server, bench.now);
  CHECK(bench.health.state() == StoreState::degraded);
  bench.now += 1s;
  bench.health.succeeded(bench.server, bench.now);
  CHECK(bench.health.state() == StoreState::up);
  CHECK(bench.changes ==
        std::vector<std::string>{"degraded timeout", "down timeout", "degraded recovered", "up recovered"});
}

TEST_CASE("store health: servers that nobody has any more are forgotten, and others kept") {
  Bench bench;
  bench.fail(5);
  for (int i = 0; i < 1000; ++i) bench.fail(5, *bench.health.server(std::to_string(i)));
  bench.health.keep_only([](const std::string&) { return false; });
  CHECK(bench.server.is_open());
  CHECK(bench.health.server("a") == bench.own);
  CHECK_FALSE(bench.health.server("7")->is_open());
}

TEST_CASE("store health: one server of several that is gone degrades the store") {
  Bench bench;
  const auto its_own = bench.health.server("b");
  ServerHealth& other = *its_own;
  bench.fail(9);
  CHECK(bench.health.state() == StoreState::degraded);
  bench.now += 1min;
  bench.health.succeeded(other, bench.now);
  CHECK(bench.health.state() == StoreState::degraded);
  bench.fail(5, other);
  CHECK(bench.health.state() == StoreState::down);
}
