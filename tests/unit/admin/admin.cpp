#include "admin/admin.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "unit/exchange_bench.h"

using namespace weir;
using namespace weir::admin;
using namespace std::chrono_literals;

namespace {

struct StubConsole : Console {
  Readiness state;
  ReloadOutcome outcome;
  int reloads = 0;
  std::string ordered;

  Readiness readiness() const override { return state; }
  Page metrics(std::string_view accept) const override { return {"text/plain", "accept=" + std::string(accept)}; }
  std::string status_json() const override { return "{}"; }
  std::string upstreams_json() const override { return "{\"upstreams\":[]}"; }
  std::string config_json() const override { return "{}"; }
  std::string version_json() const override { return "{\"version\":\"1\"}"; }
  bool order(std::string_view upstream, std::string_view endpoint, EndpointOrder what) override {
    ordered = std::string(upstream) + " " + std::string(endpoint) + (what == EndpointOrder::drain ? " drain" : " up");
    return upstream == "api";
  }
  std::string other_than(const ServedFile& file) const override {
    return file.path == "/etc/weir.yaml" || file.identity == "8:15" ? "" : "/etc/weir.yaml";
  }
  Task<ReloadOutcome> reload(Exchange&) override {
    ++reloads;
    co_return outcome;
  }
};

struct Bench : ExchangeBench {
  StubConsole console;
  Renderer renderer;
  std::string authority = "127.0.0.1:9901";
  FilterMetrics metrics;
  AdminOrigin origin{console, renderer, metrics};

  uint16_t send(std::string_view method, std::string_view path) { return send(origin, method, path); }
  uint16_t send(const AdminOrigin& to, std::string_view method, std::string_view path) {
    exchange.request.method = http::method_of(method);
    exchange.request.path = path;
    exchange.request.authority = authority;
    auto task = to.handle(exchange);
    task.start();
    wait_for(task);
    task.take();
    return exchange.response.head.status;
  }
  /// The renderer's thread may take its time.
  template <class T>
  void wait_for(Task<T>& task) {
    for (const auto end = std::chrono::steady_clock::now() + 60s; !task.is_done();) {
      REQUIRE(std::chrono::steady_clock::now() < end);
      std::this_thread::sleep_for(1ms);
      loop.poll();
    }
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
  for (const auto* path : {"/status", "/upstreams", "/config", "/version"}) {
    CHECK(bench.send("GET", path) == 200);
    CHECK(bench.response_field("content-type") == "application/json");
    CHECK(bench.send("HEAD", path) == 200);
  }
  CHECK(bench.send("GET", "/") == 200);
}

TEST_CASE("admin: a reload of another file than the served one is refused") {
  Bench bench;
  bench.exchange.request.query = "file=%2Fhome%2Fann%2Fweir.yaml&identity=8:16";
  CHECK(bench.send("POST", "/reload") == 409);
  CHECK(bench.body().contains("this process serves /etc/weir.yaml, not /home/ann/weir.yaml; nothing was changed"));
  CHECK(bench.console.reloads == 0);
  for (const auto* query : {"file=%2Fetc%2Fweir.yaml&identity=8:16", "file=%2Fhost%2Fweir.yaml&identity=8%3A15", ""}) {
    bench.exchange.request.query = query;
    CHECK(bench.send("POST", "/reload") == 200);
  }
  CHECK(bench.console.reloads == 3);
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
  const AdminOrigin origin(bench.console, bench.renderer, bench.metrics,
                           {{"/things", "GET  /things     all of them\n", std::make_shared<Stub>()}});
  const auto send = [&](std::string_view path) { return bench.send(origin, "GET", path); };
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

TEST_CASE("admin: what is as long as the configuration is rendered on a thread of its own") {
  struct Watching : StubConsole {
    mutable std::vector<std::thread::id> threads;
    Page metrics(std::string_view) const override { return {"text/plain", seen("metrics")}; }
    std::string upstreams_json() const override { return seen("upstreams"); }
    std::string config_json() const override { return seen("config"); }
    std::string seen(const char* what) const {
      threads.push_back(std::this_thread::get_id());
      return what;
    }
  };
  Bench bench;
  Watching console;
  const auto list = [&](const Clock&) { return console.seen("list"); };
  const AdminOrigin origin(console, bench.renderer, bench.metrics, {{"/things", "", nullptr, list}});
  for (const auto* path : {"/metrics", "/upstreams", "/config", "/things"}) {
    CHECK(bench.send(origin, "GET", path) == 200);
    CHECK(bench.body() == (path == std::string_view("/things") ? "list" : path + 1));
  }
  REQUIRE(console.threads.size() == 4);
  for (const auto& thread : console.threads) CHECK(thread != std::this_thread::get_id());
}

TEST_CASE("admin: a large page leaves in pieces, one for each turn of the loop") {
  struct Large : StubConsole {
    Page metrics(std::string_view) const override { return {"text/plain", std::string(1'000'000, 'x')}; }
  };
  Bench bench;
  const Large console;
  const AdminOrigin origin(const_cast<Large&>(console), bench.renderer, bench.metrics);
  CHECK(bench.send(origin, "GET", "/metrics") == 200);
  auto& body = *bench.exchange.response.body;
  CHECK(body.size() == http::BodySize::known(1'000'000));
  size_t bytes = 0;
  for (bool is_first = true;; is_first = false) {
    auto reading = body.read();
    CHECK(reading.start() == (is_first || bytes == 1'000'000));
    bench.wait_for(reading);
    const auto chunk = reading.take();
    REQUIRE(chunk);
    if (chunk->is_end) break;
    CHECK(chunk->data.size() <= 64 * 1024);
    bytes += chunk->data.size();
  }
  CHECK(bytes == 1'000'000);
}

namespace {

/// Renders when the test says so, and counts.
struct Gated : StubConsole {
  mutable std::mutex gate;
  mutable std::atomic<int> rendered = 0;
  size_t size = 10;
  Page metrics(std::string_view) const override {
    const std::lock_guard lock(gate);
    return {"text/plain", "metrics"};
  }
  std::string config_json() const override {
    ++rendered;
    return std::string(size, 'x');
  }
};

/// One more client of the same loop.
struct Visitor {
  Visitor(Bench& bench, const AdminOrigin& origin, std::string_view path, const std::string& accept = "")
      : arena(bench.blocks), exchange(arena, bench.worker, nullptr) {
    exchange.request.method = http::Method::get;
    exchange.request.path = path;
    exchange.request.authority = "localhost";
    if (!accept.empty()) exchange.request.headers.add("Accept", arena.copy(accept));
    exchange.request_body = make_in<NoBody>(arena, arena);
    task = origin.handle(exchange);
    task.start();
  }
  uint16_t status(Bench& bench) {
    bench.wait_for(task);
    task.take();
    return exchange.failure ? 503 : exchange.response.head.status;
  }
  Arena arena;
  Exchange exchange;
  Task<> task;
};

}  // namespace

TEST_CASE("admin: who asks for the same page before it is rendered shares it") {
  Bench bench;
  Gated console;
  const AdminOrigin origin(console, bench.renderer, bench.metrics);
  console.gate.lock();
  Visitor first(bench, origin, "/metrics");
  std::vector<std::unique_ptr<Visitor>> clients;
  for (int i = 0; i < 60; ++i) clients.push_back(std::make_unique<Visitor>(bench, origin, "/config"));
  console.gate.unlock();
  CHECK(first.status(bench) == 200);
  for (auto& client : clients) CHECK(client->status(bench) == 200);
  CHECK(console.rendered <= 2);  // the first of them may have begun before the others came
  Visitor later(bench, origin, "/config");
  CHECK(later.status(bench) == 200);
  CHECK(console.rendered <= 3);
}

TEST_CASE("admin: no more than so many pages wait to be rendered") {
  Bench bench;
  log::set_level(log::Level::error);
  Gated console;
  const AdminOrigin origin(console, bench.renderer, bench.metrics);
  console.gate.lock();
  std::vector<std::unique_ptr<Visitor>> clients;
  for (int i = 0; i < 30; ++i)
    clients.push_back(std::make_unique<Visitor>(bench, origin, "/metrics", "a/" + std::to_string(i)));
  const auto is_done = [](const auto& client) { return client->task.is_done(); };
  const auto waiting = std::partition(clients.begin(), clients.end(), is_done);
  CHECK(waiting - clients.begin() >= 13);  // 16 wait, and one is being rendered
  console.gate.unlock();
  for (auto client = clients.begin(); client != clients.end(); ++client)
    CHECK((*client)->status(bench) == (client < waiting ? 503 : 200));
}

TEST_CASE("admin: of pages that nobody reads no more than so many bytes are held") {
  Bench bench;
  log::set_level(log::Level::error);
  Gated console;
  console.size = Renderer::kMostHeld;
  const AdminOrigin origin(console, bench.renderer, bench.metrics);
  auto unread = std::make_unique<Visitor>(bench, origin, "/config");
  CHECK(unread->status(bench) == 200);
  CHECK(Visitor(bench, origin, "/config").status(bench) == 503);
  CHECK(Visitor(bench, origin, "/metrics").status(bench) == 200);
  unread.reset();
  CHECK(Visitor(bench, origin, "/config").status(bench) == 200);
}

TEST_CASE("admin: a client that leaves while its page is rendered takes nothing with it") {
  Bench bench;
  bench.exchange.request.path = "/metrics";
  bench.exchange.request.authority = bench.authority;
  {
    auto task = bench.origin.handle(bench.exchange);
    CHECK_FALSE(task.start());
  }
  CHECK(bench.send("GET", "/metrics") == 200);
}

TEST_CASE("admin: a page that can't be rendered is an exception of its exchange, and the next is rendered") {
  struct Broken : StubConsole {
    std::string config_json() const override { throw std::runtime_error("no"); }
  };
  Bench bench;
  Broken console;
  const AdminOrigin origin(console, bench.renderer, bench.metrics);
  CHECK_THROWS_AS(bench.send(origin, "GET", "/config"), std::runtime_error);
  CHECK(bench.send(origin, "GET", "/upstreams") == 200);
}
