#include "async/event.h"
#include "unit/downstream/bench.h"

namespace weir::downstream {

namespace {

constexpr std::string_view kAsk =
    "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
constexpr std::string_view kFrame = "\x82\x03one";
constexpr std::string_view kHalf = "\x82\x03o";
constexpr auto kLong = std::chrono::seconds(3);  // longer than anybody has to go

/// What the client sends comes back.
struct EchoBody : Body {
  explicit EchoBody(Exchange& exchange) : Body(exchange.arena()), exchange(exchange) {}
  Task<Result<Chunk>> read() override { return exchange.request_body->read(); }
  http::BodySize size() const override { return http::BodySize::tunnel(); }
  bool is_exact() const override { return true; }
  Exchange& exchange;
};

/// An endpoint that says nothing.
struct SilentBody : Body {
  SilentBody(Arena& arena, Event& never) : Body(arena), never(never) {}
  Task<Result<Chunk>> read() override {
    co_await never.wait();
    co_return Chunk::end();
  }
  http::BodySize size() const override { return http::BodySize::tunnel(); }
  bool is_exact() const override { return true; }
  Event& never;
};

Task<> grant(Exchange& exchange) {
  exchange.response.head.status = 101;
  exchange.response.body = make_in<EchoBody>(exchange.arena(), exchange);
  co_return;
}

struct TunnelBench : Bench {
  explicit TunnelBench(Policy policy = {}) : Bench(std::move(policy)) { origin->script = grant; }
};

}  // namespace

TEST_CASE("tunnels: what comes too early for the tunnel is its first bytes") {
  TunnelBench bench;
  auto client = bench.connect();
  const auto answer = bench.ask(client, std::string(kAsk) + std::string(kFrame));
  CHECK(status_of(answer) == 101);
  CHECK(body_of(answer) == kFrame);
}

TEST_CASE("tunnels: a client that has sent its end, and goes, is noticed at once") {
  Bench bench;
  Event never(bench.loop);
  bench.origin->script = [&](Exchange& exchange) -> Task<> {
    exchange.response.head.status = 101;
    exchange.response.body = make_in<SilentBody>(exchange.arena(), exchange.arena(), never);
    co_return;
  };
  auto client = bench.connect();
  CHECK(status_of(bench.ask(client, kAsk)) == 101);
  client.finish();
  bench.settle();
  CHECK(bench.observer.connections == 1);
  client.close();
  bench.settle();
  CHECK(bench.observer.connections == 0);
  REQUIRE(bench.observer.seen.size() == 1);
  CHECK(bench.observer.seen[0].has(Flag::DC));
}

TEST_CASE("tunnels: one that isn't granted leaves the connection to the next request") {
  TunnelBench bench;
  bench.origin->script = [](Exchange& exchange) -> Task<> {
    exchange.respond(403);
    co_return;
  };
  auto client = bench.connect();
  CHECK(status_of(bench.ask(client, kAsk)) == 403);
  CHECK(status_of(bench.get(client)) == 403);
}

TEST_CASE("tunnels: at the cut the client is told between two frames, and has a moment to go") {
  TunnelBench bench;
  auto client = bench.connect();
  bench.ask(client, kAsk);
  CHECK(bench.ask(client, kFrame) == kFrame);
  bench.gateway.cut();
  bench.settle();
  CHECK(client.received() == http::kGoingAway);
  CHECK(client.has_ended());
  CHECK(bench.observer.connections == 1);
  bench.advance(kLong);
  CHECK(bench.observer.connections == 0);
  REQUIRE(bench.observer.seen.size() == 1);
  CHECK(bench.observer.seen[0].status == 101);
}

TEST_CASE("tunnels: one whose route is gone has its moment to go, whatever other reloads come meanwhile") {
  struct NoRoute : RouteTable {
    const Route* find(Exchange&) const override { return nullptr; }
    bool has(const Route&) const override { return false; }
  } no_route;
  TunnelBench bench;
  auto client = bench.connect();
  bench.ask(client, kAsk);
  bench.serving.routes = &no_route;
  bench.gateway.part_strays_after(std::chrono::seconds(10));
  bench.pass(std::chrono::seconds(9));
  CHECK(client.received() == "");
  bench.advance(std::chrono::seconds(1));
  CHECK(client.received() == http::kGoingAway);
  bench.gateway.part_strays_after({});
  bench.advance(std::chrono::milliseconds(300));
  CHECK(bench.observer.connections == 1);
  bench.advance(kLong);
  CHECK(bench.observer.connections == 0);
}

TEST_CASE("tunnels: at the cut nothing is put into a frame") {
  TunnelBench bench;
  auto client = bench.connect();
  bench.ask(client, kAsk);
  CHECK(bench.ask(client, kHalf) == kHalf);
  bench.gateway.cut();
  bench.settle();
  CHECK(client.received() == "");
  CHECK(client.has_ended());
}

TEST_CASE("tunnels: who said Close already isn't told again") {
  TunnelBench bench;
  auto client = bench.connect();
  bench.ask(client, kAsk);
  CHECK(bench.ask(client, http::kGoingAway) == http::kGoingAway);
  bench.gateway.cut();
  bench.settle();
  CHECK(client.received() == "");
}

TEST_CASE("tunnels: no limit of a request's body holds") {
  Policy policy;
  policy.limits.body_rate = 1'000'000;
  policy.timeouts.body = policy.timeouts.idle = kLong;
  TunnelBench bench(policy);
  bench.routes.route.max_body = 4;
  auto client = bench.connect();
  bench.ask(client, kAsk);
  bench.pass(10 * kLong);
  CHECK(bench.ask(client, kFrame) == kFrame);
}

}  // namespace weir::downstream
