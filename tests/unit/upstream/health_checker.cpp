#include "upstream/health_checker.h"

#include "unit/upstream/backend.h"
#include "upstream/health_watch.h"

namespace weir::upstream {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
constexpr std::string_view kFault = "HTTP/1.1 503 Sorry\r\nContent-Length: 0\r\n\r\n";

HealthCheckSettings usual() {
  HealthCheckSettings check;
  check.path = "/healthz?full=1";
  check.statuses.add("200-399");
  return check;
}

/// An upstream with one endpoint, which the test plays, and its health watched.
struct Checked : LoopBench {
  explicit Checked(HealthCheckSettings check = usual(), UpstreamSettings from = {}) : settings(std::move(from)) {
    EndpointSettings endpoint;
    endpoint.parsed = backend.address();
    endpoint.address.value = endpoint.parsed.text();
    settings.endpoints = {endpoint};
    settings.health_check = std::move(check);
    worker.connections = &pool;
    serve();
  }
  ~Checked() { watch.reset(); }

  /// A snapshot of these settings is published.
  void serve() {
    auto next = std::make_unique<Upstream>("api", 0, settings, states.find("api"), 1, loop.now());
    watch.reset();
    upstream = std::move(next);
    watch.emplace(worker, *upstream);
  }
  EndpointState& endpoint() { return *upstream->endpoints()->all()[0].state; }
  Health health() { return endpoint().health; }
  HealthReport report() { return upstream->state().health.report(endpoint()); }
  int64_t count(const char* result) {
    return metrics.counter("health_checks", "", {{"upstream", "api"}, {"result", result}}).value();
  }
  int64_t checks() { return count("passed") + count("failed"); }

  /// Time passes until there is a check: its connection.
  Peer asked() {
    std::optional<Peer> peer;
    for (int i = 0; i < 100 && !peer; ++i) {
      if (auto next = backend.accept()) {
        peer.emplace(std::move(*next));
      } else {
        advance(50ms);
      }
    }
    REQUIRE(peer.has_value());
    return std::move(*peer);
  }
  std::string request(Peer& peer, std::string_view end = "\r\n\r\n") {
    std::string bytes;
    REQUIRE(until([&] { return (bytes += peer.received()).ends_with(end); }));
    return bytes;
  }
  /// The next check is answered by these bytes.
  std::string answer(std::string_view bytes) {
    Peer peer = asked();
    const auto before = checks();
    auto request = this->request(peer);
    peer.send(bytes);
    REQUIRE(until([&] { return checks() > before; }));
    settle();
    return request;
  }
  void answer(std::string_view bytes, int times) {
    for (int i = 0; i < times; ++i) answer(bytes);
  }
  std::string what() { return report().last_check ? report().last_check->what : ""; }

  FilterMetrics metrics;
  BlockPool blocks{8 * 1024};
  BlockPool buffers{64 * 1024};
  store::MemoryStore store{clock};
  WorkerContext worker{loop, blocks, buffers, store, store};
  ConnectionPool pool{worker};
  Backend backend;
  UpstreamStates states{metrics};
  UpstreamSettings settings;
  std::unique_ptr<Upstream> upstream;
  std::optional<HealthWatch> watch;
};

}  // namespace

TEST_CASE("health check: it asks for its path, with the endpoint's name and one of its own") {
  Checked bench;
  const auto request = bench.answer(kOk);
  CHECK(request.starts_with("GET /healthz?full=1 HTTP/1.1\r\n"));
  CHECK(request.contains("Host: " + bench.endpoint().text + "\r\n"));
  CHECK(request.contains("user-agent: weir-health-check/"));
  CHECK(bench.what() == "status 200");
  CHECK(bench.count("passed") == 1);
}

TEST_CASE("health check: host, method and fields are as written") {
  auto check = usual();
  check.host = "app.example";
  check.method = "HEAD";
  check.headers = {{"X-Probe", "yes"}, {"User-Agent", "me"}};
  Checked bench(check);
  const auto request = bench.answer("HTTP/1.1 204 No Content\r\n\r\n");
  CHECK(request.starts_with("HEAD "));
  CHECK(request.contains("Host: app.example\r\n"));
  CHECK(request.contains("X-Probe: yes\r\n"));
  CHECK(request.contains(": me\r\n"));
}

TEST_CASE("health check: three failures take it down, two passes bring it up, and it starts slowly") {
  Checked bench;
  bench.answer(kOk);
  bench.answer(kFault, 2);
  CHECK(bench.health() == Health::up);
  bench.answer(kFault);
  CHECK(bench.health() == Health::down);
  CHECK(bench.report().why == "3 checks in a row failed: status 503");
  bench.answer(kOk);
  CHECK(bench.health() == Health::down);
  bench.answer(kOk);
  CHECK(bench.health() == Health::up);
  CHECK(bench.endpoint().up_since.load() == bench.loop.now());
}

TEST_CASE("health check: it counts as no request, and holds no connection") {
  Checked bench;
  bench.answer(kOk, 3);
  CHECK(bench.endpoint().requests == 0);
  CHECK(bench.endpoint().connections == 0);
  CHECK(bench.endpoint().active == 0);
  Peer peer = bench.asked();
  bench.request(peer);
  peer.send(kOk);
  CHECK(bench.until([&] { return peer.has_ended(); }));
}

TEST_CASE("health check: an endpoint that never answers fails when the time is up") {
  auto check = usual();
  check.fall = 1;
  Checked bench(check);
  Peer peer = bench.asked();
  bench.request(peer);
  bench.advance(999ms);
  CHECK(bench.checks() == 0);
  bench.advance(10ms);
  CHECK(bench.count("failed") == 1);
  CHECK(bench.health() == Health::down);
  CHECK(bench.report().why == "a check failed: no answer within health_check.timeout 1s");
}

TEST_CASE("health check: an endpoint that begins an answer and stops fails, too") {
  auto check = usual();
  check.body = "fine";
  Checked bench(check);
  Peer peer = bench.asked();
  bench.request(peer);
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfi");
  bench.settle();
  bench.advance(1010ms);
  CHECK(bench.count("failed") == 1);
  CHECK(bench.what() == "no answer within health_check.timeout 1s");
}

TEST_CASE("health check: nobody listens") {
  auto check = usual();
  check.fall = 1;
  Checked bench(check);
  bench.backend.close();
  bench.advance(2s);
  REQUIRE(bench.until([&] { return bench.count("failed") > 0; }));
  CHECK(bench.health() == Health::down);
  CHECK(bench.what().starts_with("connect_refused"));
}

TEST_CASE("health check: the body must hold the text, wherever it is cut") {
  auto check = usual();
  check.body = "all is well";
  Checked bench(check);
  bench.answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nall is\r\n7\r\n well.\n\r\n0\r\n\r\n");
  CHECK(bench.count("passed") == 1);
  bench.answer(kOk);
  CHECK(bench.count("failed") == 1);
  CHECK(bench.what() == "status 200, but 'all is well' isn't in its body");
}

TEST_CASE("health check: a redirect is an answer, and isn't followed") {
  auto check = usual();
  check.statuses = {};
  check.statuses.add("200");
  Checked bench(check);
  bench.answer("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
  CHECK(bench.what() == "status 302");
  CHECK(bench.count("failed") == 1);
}

TEST_CASE("health check: while the state is changing it asks more often") {
  auto check = usual();
  check.jitter = {0};
  check.interval = 10s;
  check.fast_interval = 1s;
  Checked bench(check);
  bench.answer(kOk);
  bench.pass(9s, 100ms);
  CHECK_FALSE(bench.backend.accept());
  bench.advance(1s);
  bench.answer(kFault);
  bench.advance(1s);
  CHECK(bench.backend.accept().has_value());
}

TEST_CASE("health check: a new endpoint may have to pass first") {
  auto check = usual();
  check.initial = Health::checking;
  Checked bench(check);
  CHECK(bench.health() == Health::checking);
  bench.answer(kOk);
  CHECK(bench.health() == Health::up);
}

TEST_CASE("health check: a new endpoint that fails its first check is down") {
  auto check = usual();
  check.initial = Health::checking;
  Checked bench(check);
  bench.answer(kFault);
  CHECK(bench.health() == Health::down);
}

TEST_CASE("health check: a tcp check is content with a connection") {
  auto check = usual();
  check.type = HealthCheckSettings::Type::tcp;
  Checked bench(check);
  {
    const Peer peer = bench.asked();
    REQUIRE(bench.until([&] { return bench.count("passed") == 1; }));
  }
  bench.backend.close();
  bench.advance(3s);
  REQUIRE(bench.until([&] { return bench.count("failed") == 1; }));
}

TEST_CASE("health check: an answer may say that it is degraded or drains, and a later one that it is well") {
  UpstreamSettings settings;
  settings.health_header = "x-weir-health";
  Checked bench(usual(), settings);
  const auto saying = [&](std::string_view word) {
    bench.answer("HTTP/1.1 200 OK\r\nX-Weir-Health: " + std::string(word) + "\r\nContent-Length: 0\r\n\r\n");
    return bench.health();
  };
  CHECK(saying("degraded") == Health::degraded);
  CHECK(saying("drain") == Health::draining);
  CHECK(saying("down") == Health::down);
  CHECK(bench.report().judge == "backend");
  bench.answer(kOk);
  CHECK(bench.health() == Health::up);
}

TEST_CASE("health check: what it found outlives a reload; without checks it is forgotten") {
  Checked bench;
  bench.answer(kFault, 3);
  bench.serve();
  CHECK(bench.health() == Health::down);
  bench.answer(kOk);
  bench.answer(kOk);
  CHECK(bench.health() == Health::up);
  bench.answer(kFault, 3);
  bench.settings.health_check.reset();
  bench.serve();
  CHECK(bench.health() == Health::up);
  CHECK_FALSE(bench.report().last_check.has_value());
}

TEST_CASE("health check: endpoints come and go with a name's addresses") {
  Checked bench;
  bench.answer(kOk);
  Backend other;
  bench.upstream->publish({{other.address(), "other"}}, bench.loop.now());
  bench.pass(4s, 50ms);
  while (bench.backend.accept()) {
  }
  bench.pass(4s, 50ms);
  CHECK_FALSE(bench.backend.accept());
  CHECK(other.accept().has_value());
}

TEST_CASE("health check: one that is under way when its watch ends is given up") {
  Checked bench;
  Peer peer = bench.asked();
  bench.request(peer);
  bench.watch.reset();
  CHECK(bench.until([&] { return peer.has_ended(); }));
  CHECK(bench.checks() == 0);
}

TEST_CASE("health watch: an ejection ends when its time is over") {
  UpstreamSettings settings;
  settings.outlier_detection.emplace();
  Checked bench(usual(), settings);
  bench.settings.health_check.reset();
  bench.serve();
  for (int i = 0; i < 5; ++i)
    bench.upstream->observe(bench.endpoint(), Outcome::refused, nullptr, Duration{}, bench.loop.now());
  CHECK(bench.health() == Health::ejected);
  bench.pass(29s);
  CHECK(bench.health() == Health::ejected);
  bench.pass(2s);
  CHECK(bench.health() == Health::up);
}

}  // namespace weir::upstream
