#include <doctest/doctest.h>

#include <map>

#include "unit/routing/bench.h"

using namespace weir;
using namespace weir::routing;

namespace {

std::string chosen(const Router& router, Worker& worker, std::string_view cookie = {}) {
  Request request(worker, "GET", "http://a.example/");
  if (!cookie.empty()) request.header("cookie", cookie);
  router.find(request.exchange);
  return std::string(request.exchange.destination.upstream);
}

}  // namespace

TEST_CASE("split: without a key the shares hold within every round, spread out") {
  const Bench bench("routes: [{ split: { api: 60, canary: 40 } }]");
  const auto router = bench.router();
  std::string order;
  for (int i = 0; i < 10; ++i) order += chosen(router, bench.worker).front();
  CHECK(order == "acacaacaca");
}

TEST_CASE("split: a share of 0 gets nothing") {
  const Bench bench("routes: [{ split: { api: 0, canary: 3 } }]");
  const auto router = bench.router();
  for (int i = 0; i < 5; ++i) CHECK(chosen(router, bench.worker) == "canary");
}

TEST_CASE("split: a value of the key stays with its upstream, and values share as configured") {
  const Bench bench("routes: [{ split: { weights: { api: 90, canary: 10 }, key: cookie.sid } }]");
  const auto router = bench.router();
  std::map<std::string, int> counts;
  for (int i = 0; i < 2000; ++i) {
    const auto cookie = "sid=" + std::to_string(i);
    const auto first = chosen(router, bench.worker, cookie);
    CHECK(chosen(router, bench.worker, cookie) == first);
    ++counts[first];
  }
  CHECK(counts["canary"] > 140);
  CHECK(counts["canary"] < 260);
}

TEST_CASE("split: when a share grows, nobody leaves it") {
  const std::string key = ", key: cookie.sid } }]";
  const Bench before("routes: [{ split: { weights: { api: 90, canary: 10 }" + key);
  const Bench after("routes: [{ split: { weights: { api: 80, canary: 20 }" + key);
  const auto old_router = before.router(), new_router = after.router();
  for (int i = 0; i < 500; ++i) {
    const auto cookie = "sid=" + std::to_string(i);
    if (chosen(old_router, before.worker, cookie) == "canary")
      CHECK(chosen(new_router, after.worker, cookie) == "canary");
  }
}

TEST_CASE("split: without the key's value a request takes its turn") {
  const Bench bench("routes: [{ split: { weights: { api: 1, canary: 1 }, key: cookie.sid } }]");
  const auto router = bench.router();
  CHECK(chosen(router, bench.worker) != chosen(router, bench.worker));
}

TEST_CASE("split: a route put before one without a name moves no value to another upstream") {
  const std::string split = "{ split: { weights: { api: 50, canary: 50 }, key: cookie.sid } }]";
  const Bench before("routes: [" + split);
  const Bench after("routes: [{ match: { path: /new }, upstream: files }, " + split);
  const auto old_router = before.router(), new_router = after.router();
  for (int i = 0; i < 100; ++i) {
    const auto cookie = "sid=" + std::to_string(i);
    CHECK(chosen(old_router, before.worker, cookie) == chosen(new_router, after.worker, cookie));
  }
}
