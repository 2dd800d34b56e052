#include "admin/admin.h"

#include <doctest/doctest.h>

#include "unit/exchange_bench.h"

using namespace weir;
using namespace weir::admin;

namespace {

struct StubConsole : Console {
  Readiness state;
  ReloadOutcome outcome;
  int reloads = 0;
  std::string ordered;

  Readiness readiness() const override { return state; }
  Page metrics(std::string_view accept) const override { return {"text/plain", "accept=" + std::string(accept)}; }
  std::string upstreams_json() const override { return "{\"upstreams\":[]}"; }
  std::string config_json() const override { return "{}"; }
  std::string version_json() const override { return "{\"version\":\"1\"}"; }
  bool order(std::string_view upstream, std::string_view endpoint, EndpointOrder what) override {
    ordered = std::string(upstream) + " " + std::string(endpoint) + (what == EndpointOrder::drain ? " drain" : " up");
    return upstream == "api";
  }
  Task<ReloadOutcome> reload(Exchange&) override {
    ++reloads;
    co_return outcome;
  }
};

struct Bench : ExchangeBench {
  StubConsole console;
  AdminOrigin origin{console};

  uint16_t send(std::string_view method, std::string_view path) {
    exchange.request.method = http::method_of(method);
    exchange.request.path = path;
    auto task = origin.handle(exchange);
    REQUIRE(task.start());
    task.take();
    return exchange.response.head.status;
  }
};

}  // namespace

TEST_CASE("admin: a process that runs is live, whether or not it is ready") {
  Bench bench;
  bench.console.state = {Readiness::State::not_ready, "draining"};
  CHECK(bench.send("GET", "/livez") == 200);
  CHECK(bench.send("GET", "/readyz") == 503);
  CHECK(bench.body() == "{\"status\":\"not_ready\",\"why\":\"draining\"}\n");
}

TEST_CASE("admin: a degraded process still wants traffic") {
  Bench bench;
  bench.console.state = {Readiness::State::degraded, "store is down"};
  CHECK(bench.send("GET", "/readyz") == 200);
  CHECK(bench.body() == "{\"status\":\"degraded\",\"why\":\"store is down\"}\n");
}

TEST_CASE("admin: metrics are given in the format that Accept asks for") {
  Bench bench;
  bench.exchange.request.headers.add("accept", "application/openmetrics-text");
  CHECK(bench.send("GET", "/metrics") == 200);
  CHECK(bench.body() == "accept=application/openmetrics-text");
  CHECK(bench.response_field("cache-control") == "no-store");
}

TEST_CASE("admin: the views are JSON, and HEAD may ask for them") {
  Bench bench;
  for (const auto* path : {"/upstreams", "/config", "/version"}) {
    CHECK(bench.send("GET", path) == 200);
    CHECK(bench.response_field("content-type") == "application/json");
    CHECK(bench.send("HEAD", path) == 200);
  }
  CHECK(bench.send("GET", "/") == 200);
}

TEST_CASE("admin: only a POST reloads") {
  Bench bench;
  CHECK(bench.send("GET", "/reload") == 405);
  CHECK(bench.response_field("allow") == "POST");
  CHECK(bench.console.reloads == 0);
  CHECK(bench.send("POST", "/reload") == 200);
  CHECK(bench.console.reloads == 1);
}

TEST_CASE("admin: a reload that failed says why") {
  Bench bench;
  bench.console.outcome = {false, "weir.yaml:1:1: \xff"};
  CHECK(bench.send("POST", "/reload") == 422);
  CHECK(bench.body().find("weir.yaml:1:1") != std::string::npos);
}

TEST_CASE("admin: a wrong method is told the right ones, an unknown path is none") {
  Bench bench;
  CHECK(bench.send("DELETE", "/config") == 405);
  CHECK(bench.response_field("allow") == "GET, HEAD");
  CHECK(bench.send("GET", "/secrets") == 404);
  CHECK(bench.send("GET", "/livez/") == 404);
}

TEST_CASE("admin: a plugin's page answers for its path and below it, and the index has its lines") {
  struct Stub : Origin {
    Task<> handle(Exchange& exchange) const override {
      exchange.respond(200, "text/plain", exchange.request.path);
      co_return;
    }
  };
  Bench bench;
  const AdminOrigin origin(bench.console, {{"/things", "GET  /things     all of them\n", std::make_shared<Stub>()}});
  const auto send = [&](std::string_view path) {
    bench.exchange.request.method = http::Method::get;
    bench.exchange.request.path = path;
    auto task = origin.handle(bench.exchange);
    REQUIRE(task.start());
    task.take();
    return bench.exchange.response.head.status;
  };
  for (const auto* path : {"/things", "/things/", "/things/one"}) {
    CHECK(send(path) == 200);
    CHECK(bench.body() == path);
  }
  CHECK(send("/thingses") == 404);
  CHECK(send("/") == 200);
  CHECK(bench.body().ends_with("GET  /things     all of them\n"));
}

TEST_CASE("admin: an endpoint is drained, and brought up again") {
  Bench bench;
  CHECK(bench.send("POST", "/upstreams/api/endpoints/127.0.0.1:9001/drain") == 200);
  CHECK(bench.console.ordered == "api 127.0.0.1:9001 drain");
  CHECK(bench.send("POST", "/upstreams/api/endpoints/%5B::1%5D:80/up") == 200);
  CHECK(bench.console.ordered == "api [::1]:80 up");
  CHECK(bench.send("POST", "/upstreams/api/endpoints/unix:/run/app.sock/up") == 200);
  CHECK(bench.console.ordered == "api unix:/run/app.sock up");
}

TEST_CASE("admin: an order to an endpoint that isn't there, or that nobody knows, is refused") {
  Bench bench;
  CHECK(bench.send("GET", "/upstreams/api/endpoints/127.0.0.1:9001/drain") == 405);
  CHECK(bench.send("POST", "/upstreams/other/endpoints/127.0.0.1:9001/drain") == 404);
  bench.console.ordered.clear();
  for (const auto* path : {"/upstreams/", "/upstreams/api/endpoints/", "/upstreams/api/endpoints/drain",
                           "/upstreams/api/endpoints/1.2.3.4:5/burn", "/upstreams/api/1.2.3.4:5/drain"}) {
    CHECK(bench.send("POST", path) == 404);
  }
  CHECK(bench.console.ordered.empty());
}
