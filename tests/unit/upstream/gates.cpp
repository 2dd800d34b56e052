#include <set>

#include "http/websocket.h"
#include "unit/upstream/backend.h"
#include "unit/upstream/stub_gate.h"

namespace weir::upstream {
namespace {

using namespace std::chrono_literals;

/// A request's body that comes when the test says so.
struct Upload : Body {
  Upload(Request& request, http::BodySize size) : Body(request.arena), signal(request.bench.loop), announced(size) {}
  Task<Result<Chunk>> read() override {
    while (!next) co_await signal.wait();
    co_return std::exchange(next, std::nullopt).value();
  }
  http::BodySize size() const override { return announced; }
  bool is_exact() const override { return true; }
  void come(Chunk chunk) {
    next = std::move(chunk);
    signal.notify();
  }
  Signal signal;
  http::BodySize announced;
  std::optional<Result<Chunk>> next;
};

Upload& upload_of(Request& request, http::BodySize size) {
  auto body = make_in<Upload>(request.arena, request, size);
  auto& upload = *body;
  request.exchange.request_body = std::move(body);
  return upload;
}

}  // namespace

TEST_CASE("gates: an endpoint whose circuit is open is passed over") {
  Gates gates;
  Bench bench;
  bench.settings = gated(gates);
  bench.with({Bench::endpoint("10.0.0.1:80"), Bench::endpoint("10.0.0.2:80")});
  gates["10.0.0.1:80"]->is_open = true;
  for (int i = 0; i < 4; ++i) CHECK(bench.next() == "10.0.0.2:80");
  CHECK(gates["10.0.0.1:80"]->asked == 0);
  CHECK(gates["10.0.0.2:80"]->settled.size() == 4);
  CHECK(gates["10.0.0.2:80"]->settled[0].outcome == Outcome::abandoned);
}

TEST_CASE("gates: when the circuits of all endpoints are open, that is the failure") {
  Gates gates;
  Bench bench;
  bench.settings = gated(gates);
  bench.with({Bench::endpoint("10.0.0.1:80"), Bench::endpoint("10.0.0.2:80")});
  for (auto& [name, gate] : gates) gate->is_open = !name.empty();
  gates["10.0.0.2:80"]->wait = 3s;
  const auto lease = bench.upstream->try_acquire(bench.exchange);
  REQUIRE(lease);
  REQUIRE_FALSE(*lease);
  CHECK(lease->error().code == ErrorCode::circuit_open);
  CHECK(lease->error().retry == RetrySafe::yes);
  CHECK(bench.upstream->refuses_for(bench.loop.now()) == 3s);
  CHECK(gates[""]->out == 0);
}

TEST_CASE("gates: an endpoint that is down isn't waited for") {
  Gates gates;
  Bench bench;
  bench.settings = gated(gates);
  bench.settings.panic = Panic::never;
  bench.with({Bench::endpoint("10.0.0.1:80")});
  bench.upstream->endpoints()->all()[0].state->set_health(Health::down, bench.loop.now());
  const auto lease = bench.upstream->try_acquire(bench.exchange);
  REQUIRE(lease);
  REQUIRE_FALSE(*lease);
  CHECK(lease->error().code == ErrorCode::no_endpoint);
}

TEST_CASE("gates: in a panic the circuits of endpoints that are down count, too") {
  Gates gates;
  Bench bench;
  bench.settings = gated(gates);
  bench.with({Bench::endpoint("10.0.0.1:80")});
  bench.upstream->endpoints()->all()[0].state->set_health(Health::down, bench.loop.now());
  gates["10.0.0.1:80"]->is_open = true;
  const auto lease = bench.upstream->try_acquire(bench.exchange);
  REQUIRE(lease);
  REQUIRE_FALSE(*lease);
  CHECK(lease->error().code == ErrorCode::circuit_open);
}

TEST_CASE("gates: in a panic, a probe of the upstream's circuit goes to a healthy endpoint") {
  Gates gates;
  Bench bench;
  bench.settings = gated(gates, false);
  bench.settings.panic_threshold = {0.5};
  bench.with({Bench::endpoint("10.0.0.1:80"), Bench::endpoint("10.0.0.2:80"), Bench::endpoint("10.0.0.3:80")});
  const auto set = bench.upstream->endpoints();
  for (const size_t i : {0, 1})
    bench.upstream->state().health.judge(*set->all()[i].state, Judge::check, Health::down, "", bench.loop.now());
  gates[""]->is_probing = true;
  for (int i = 0; i < 12; ++i) CHECK(bench.next() == "10.0.0.3:80");
  gates[""]->is_probing = false;
  std::set<std::string> reached;
  for (int i = 0; i < 12; ++i) reached.insert(bench.next());
  CHECK(reached.size() == 3);
}

TEST_CASE("gates: a request that waits is started when the time of an open circuit is over") {
  Gates gates;
  Bench bench;
  bench.settings = gated(gates);
  bench.settings.queue = {.size = 10, .timeout = 1h};
  bench.with({Bench::limited("10.0.0.1:80", 1), Bench::limited("10.0.0.2:80", 1)});
  gates["10.0.0.2:80"]->is_open = true;
  const auto held = bench.lease();
  Waiting waiting(bench);
  bench.advance(6s);
  CHECK_FALSE(waiting.is_done());
  gates["10.0.0.2:80"]->is_open = false;
  bench.advance(1010ms);
  for (int i = 0; i < 20; ++i) bench.loop.poll();
  REQUIRE(waiting.is_done());
  CHECK(waiting.take()->state().text == "10.0.0.2:80");
}

TEST_CASE("gates: an upstream whose circuit is open has no endpoints, and nothing queues for them") {
  Gates gates;
  Bench bench;
  bench.settings = gated(gates);
  bench.with({Bench::limited("10.0.0.1:80", 1)});
  const auto held = bench.lease();
  gates[""]->is_open = true;
  const auto lease = bench.upstream->try_acquire(bench.exchange);
  REQUIRE(lease);
  CHECK(lease->error().code == ErrorCode::circuit_open);
  CHECK(bench.upstream->refuses_for(bench.loop.now()) == 7s);
}

TEST_CASE("gates: who waits for a place holds none of the gates") {
  Gates gates;
  Bench bench;
  bench.settings = gated(gates);
  bench.with({Bench::limited("10.0.0.1:80", 1)});
  const auto held = bench.lease();
  CHECK_FALSE(bench.upstream->try_acquire(bench.exchange));
  CHECK(gates[""]->out == 1);
  CHECK(gates["10.0.0.1:80"]->out == 1);
}

TEST_CASE("gates: both are told of an answer at its head, with how long it took") {
  Gates gates;
  ForwardBench bench(gated(gates));
  Request request(bench);
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  for (auto& [name, gate] : gates) CHECK(gate->out == 1);
  bench.clock.advance(250ms);
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  CHECK(request.status() == 200);
  REQUIRE(gates.size() == 2);
  for (auto& [name, gate] : gates) {
    REQUIRE(gate->settled.size() == 1);
    CHECK(gate->settled[0].outcome == Outcome::answered);
    CHECK(gate->settled[0].status == 200);
    CHECK(gate->settled[0].took >= 250ms);
    CHECK(gate->out == 0);
  }
}

TEST_CASE("gates: an answer that breaks off after its head is told, too") {
  Gates gates;
  ForwardBench bench(gated(gates));
  Request request(bench);
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
  CHECK(request.status() == 200);
  peer.close();
  CHECK_FALSE(request.read());
  for (auto& [name, gate] : gates) CHECK(gate->spoilt == 1);
}

TEST_CASE("gates: one that is given up while it is under way counts for nothing") {
  Gates gates;
  ForwardBench bench(gated(gates));
  auto request = std::make_unique<Request>(bench);
  request->start();
  Peer peer = bench.accept();
  bench.receive(peer);
  request->task.reset();
  request.reset();
  for (auto& [name, gate] : gates) {
    REQUIRE(gate->settled.size() == 1);
    CHECK(gate->settled[0].outcome == Outcome::abandoned);
  }
}

TEST_CASE("gates: a connection that is refused counts against both") {
  Gates gates;
  ForwardBench bench(gated(gates));
  bench.backend.close();
  Request request(bench);
  request.start();
  CHECK(request.failure() == ErrorCode::connect_refused);
  for (auto& [name, gate] : gates) {
    REQUIRE(gate->settled.size() == 1);
    CHECK(gate->settled[0].outcome == Outcome::refused);
  }
}

TEST_CASE("gates: one that hangs counts when its time is over") {
  Gates gates;
  auto settings = gated(gates);
  settings.timeouts.response = 1s;
  ForwardBench bench(std::move(settings));
  Request request(bench);
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  bench.settle();
  bench.advance(1100ms);
  CHECK(request.failure() == ErrorCode::response_timeout);
  for (auto& [name, gate] : gates) {
    REQUIRE(gate->settled.size() == 1);
    CHECK(gate->settled[0].outcome == Outcome::timed_out);
  }
}

TEST_CASE("gates: a client that is slow to send its request's body isn't held against anybody") {
  Gates gates;
  ForwardBench bench(gated(gates));
  Request request(bench, http::Method::post);
  auto& upload = upload_of(request, http::BodySize::unknown());
  SUBCASE("for the answer") { request.exchange.answer_by = bench.loop.now() + 1s; }
  SUBCASE("for the whole") { request.exchange.deadline = bench.loop.now() + 1s; }
  request.start();
  upload.come(Chunk{Slice::literal("piece")});
  Peer peer = bench.accept();
  bench.receive(peer, "piece\r\n");
  bench.advance(1100ms);
  CHECK(request.failure() == ErrorCode::request_timeout);
  CHECK(request.exchange.failure->side == Side::client);
  CHECK(bench.endpoint().failures == 0);
  for (auto& [name, gate] : gates) {
    REQUIRE(gate->settled.size() == 1);
    CHECK(gate->settled[0].outcome == Outcome::abandoned);
  }
}

TEST_CASE(
    "gates: an endpoint that gives up on a body that stays away has not failed; one that breaks off at once has") {
  for (const Duration waited : {Duration(100ms), Duration(1s)}) {
    CAPTURE(waited.count());
    Gates gates;
    ForwardBench bench(gated(gates));
    Request request(bench, http::Method::post);
    auto& upload = upload_of(request, http::BodySize::unknown());
    request.start();
    upload.come(Chunk{Slice::literal("piece")});
    Peer peer = bench.accept();
    bench.receive(peer, "piece\r\n");
    bench.advance(waited);
    peer.close();
    CHECK(request.failure() == ErrorCode::incomplete_response);
    const bool has_failed = waited < 500ms;
    CHECK(bench.endpoint().failures == (has_failed ? 1 : 0));
    for (auto& [name, gate] : gates) {
      REQUIRE(gate->settled.size() == 1);
      CHECK(gate->settled[0].outcome == (has_failed ? Outcome::broken : Outcome::abandoned));
    }
  }
}

TEST_CASE("gates: an endpoint has its time from the last byte of the request's body on") {
  for (const Duration uploading : {Duration(50ms), Duration(800ms)}) {
    CAPTURE(uploading.count());
    Gates gates;
    ForwardBench bench(gated(gates));
    Route route;
    route.timeout = 1s;
    Request request(bench, http::Method::post);
    auto& upload = upload_of(request, http::BodySize::known(5));
    request.exchange.route = &route;
    request.exchange.deadline = bench.loop.now() + route.timeout;
    request.start();
    Peer peer = bench.accept();
    bench.advance(uploading);
    upload.come(Chunk{Slice::literal("piece")});
    bench.receive(peer, "piece");
    upload.come(Chunk::end());
    bench.settle();
    bench.advance(1s - uploading);
    CHECK(request.failure() == ErrorCode::total_timeout);
    const bool has_failed = uploading == 50ms;
    for (auto& [name, gate] : gates) {
      REQUIRE(gate->settled.size() == 1);
      CHECK(gate->settled[0].outcome == (has_failed ? Outcome::timed_out : Outcome::abandoned));
    }
  }
}

TEST_CASE("gates: a response that breaks off while its client doesn't read is nobody's failure") {
  for (const Duration unread : {Duration(100ms), Duration(1s)}) {
    CAPTURE(unread.count());
    Gates gates;
    ForwardBench bench(gated(gates));
    Request request(bench);
    request.start();
    Peer peer = bench.accept();
    bench.receive(peer);
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
    REQUIRE(request.status() == 200);
    bench.settle();
    bench.advance(unread);
    peer.close();
    bench.settle();
    CHECK_FALSE(request.read());
    const bool has_failed = unread < 500ms;
    CHECK(bench.endpoint().failures == (has_failed ? 1 : 0));
    for (auto& [name, gate] : gates) CHECK(gate->spoilt == (has_failed ? 1 : 0));
  }
}

TEST_CASE("gates: an endpoint that doesn't take the request's body is") {
  Gates gates;
  ForwardBench bench(gated(gates));
  Request request(bench, http::Method::post);
  const std::string large(32 << 20, 'x');
  request.body(large);
  Route route;
  route.timeout = 1s;
  request.exchange.route = &route;
  request.exchange.deadline = bench.loop.now() + route.timeout;
  request.start();
  Peer peer = bench.accept();
  bench.settle();
  bench.advance(1100ms);
  CHECK(request.failure() == ErrorCode::total_timeout);
  for (auto& [name, gate] : gates) {
    REQUIRE(gate->settled.size() == 1);
    CHECK(gate->settled[0].outcome == Outcome::timed_out);
  }
}

TEST_CASE("gates: a silent tunnel that had to be cut isn't the endpoint's failure") {
  Gates gates;
  auto settings = gated(gates);
  settings.timeouts.tunnel = 10s;
  ForwardBench bench(std::move(settings));
  Request request(bench);
  request.exchange.request.protocol = http::kWebSocket;
  upload_of(request, http::BodySize::tunnel());
  request.start();
  Peer peer = bench.accept();
  const std::string asked = bench.receive(peer);
  constexpr std::string_view kKey = "Sec-WebSocket-Key: ";
  const auto handshake = http::WebSocketHandshake::of(asked.substr(asked.find(kKey) + kKey.size(), 24));
  peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " +
            std::string(handshake.accept_text()) + "\r\n\r\n");
  REQUIRE(request.status() == 101);
  auto reading = request.exchange.response.body->read();
  reading.start();
  for (int i = 0; i < 4; ++i) bench.advance(11s);
  REQUIRE(bench.until([&] { return reading.is_done(); }));
  CHECK_FALSE(reading.take());
  CHECK(bench.endpoint().failures == 0);
  for (auto& [name, gate] : gates) CHECK(gate->spoilt == 0);
}

TEST_CASE("gates: a response that is read for longer than the whole may take is nobody's failure") {
  Gates gates;
  ForwardBench bench(gated(gates));
  Request request(bench);
  request.exchange.deadline = bench.loop.now() + 1s;
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
  REQUIRE(request.status() == 200);
  bench.advance(1100ms);
  CHECK_FALSE(request.read());
  CHECK(bench.endpoint().failures == 0);
  for (auto& [name, gate] : gates) CHECK(gate->spoilt == 0);
}

TEST_CASE("gates: a refusal tells the client when to come back") {
  Gates gates;
  ForwardBench bench(gated(gates, false));
  gates[""]->is_open = true;
  Request request(bench);
  request.start();
  CHECK(request.failure() == ErrorCode::circuit_open);
  CHECK(request.exchange.response.head.headers.get("retry-after") == "7");
  CHECK(request.exchange.attempts.empty());
}

}  // namespace weir::upstream
