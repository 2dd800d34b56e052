#include <doctest/doctest.h>

#include "async/event.h"
#include "downstream/connection.h"
#include "unit/downstream/bench.h"
#include "unit/http/h2_bench.h"

namespace weir::downstream {
namespace {

using namespace std::chrono_literals;

/// A client that speaks HTTP/2 from its first byte on.
struct Caller {
  explicit Caller(Bench& bench, bool consumes = true) : bench(bench), peer(bench.connect()) {
    if (consumes) {
      talk.events.when_data = [this](http::StreamId stream, size_t bytes) { talk.codec.consumed(stream, bytes); };
    }
  }
  http::StreamId ask(std::string_view path, http::BodySize body = http::BodySize::none()) {
    http::RequestHead head(talk.arena);
    head.authority = "a";
    head.method = body.is_empty() ? http::Method::get : http::Method::post;
    head.path = path;
    return talk.codec.send_request(head, body);
  }
  /// Both sides, until neither has anything to say.
  void exchange() {
    for (bool moved = true; moved;) {
      const auto sent = talk.sent();
      if (!sent.empty()) peer.send(sent);
      bench.settle();
      const auto came = peer.received();
      talk.feed(came);
      moved = !sent.empty() || !came.empty();
    }
  }
  /// The statuses that came, in their order.
  std::vector<int> statuses() const {
    std::vector<int> found;
    for (const auto& head : talk.events.responses) found.push_back(head.status);
    return found;
  }

  Bench& bench;
  Peer peer;
  http::BenchOf<http::H2Codec> talk{http::Role::client};
};

/// Answers /slow when told to, and all else at once.
struct SlowOrigin : Bench {
  SlowOrigin() {
    origin->script = [this](Exchange& exchange) -> Task<> {
      if (exchange.request.path == "/slow") co_await go_on.wait();
      exchange.respond(200, "text/plain", exchange.request.path);
    };
  }
  Event go_on{loop};
};

/// Five bytes at once, and the end when `go_on` is set.
struct SlowEnd : Body {
  SlowEnd(Arena& arena, Event& go_on) : Body(arena), go_on(go_on) {}
  Task<Result<Chunk>> read() override {
    if (!std::exchange(has_begun, true)) co_return Chunk{Slice::literal("hello")};
    co_await go_on.wait();
    co_return Chunk::end();
  }
  http::BodySize size() const override { return http::BodySize::unknown(); }
  bool is_exact() const override { return true; }
  Event& go_on;
  bool has_begun = false;
};

/// A client whose every frame the test writes.
struct RawCaller {
  explicit RawCaller(Bench& bench, std::string_view settings = {}) : bench(bench), peer(bench.connect()) {
    send(http::h2::kMagic + http::h2::settings(settings));
  }
  void send(std::string_view bytes) {
    peer.send(bytes);
    bench.settle();
  }
  std::string frames() { return http::h2::list(peer.received()); }

  Bench& bench;
  Peer peer;
};

using Statuses = std::vector<int>;

}  // namespace

TEST_CASE("connection: a client that begins with HTTP/2's preface is spoken to in HTTP/2") {
  Bench bench;
  Caller caller(bench);
  caller.ask("/one");
  caller.ask("/two");
  caller.exchange();
  CHECK(caller.statuses() == Statuses{200, 200});
  CHECK(caller.talk.events.received == "/one/two");
  CHECK(bench.observer.seen.size() == 2);
}

TEST_CASE("connection: the preface may come in pieces") {
  for (const size_t fragment : {1, 2, 3, 7, 31}) {
    CAPTURE(fragment);
    Bench bench;
    Caller caller(bench);
    caller.ask("/one");
    const auto bytes = caller.talk.sent();
    for (size_t at = 0; at < bytes.size(); at += fragment) {
      caller.peer.send(std::string_view(bytes).substr(at, fragment));
      bench.settle();
    }
    caller.exchange();
    CHECK(caller.statuses() == Statuses{200});
  }
}

TEST_CASE("connection: what only begins like the preface is HTTP/1, and refused") {
  Bench bench;
  auto client = bench.connect();
  CHECK(bench.ask(client, "PRI * HT") == "");
  CHECK(status_of(bench.ask(client, "TP/1.1\r\nHost: a\r\n\r\n")) >= 400);
  CHECK(bench.origin->requests == 0);
}

TEST_CASE("connection: half a preface is waited for no longer than an idle client") {
  Bench bench;
  auto client = bench.connect();
  bench.ask(client, "PRI * HT");
  bench.pass(80s, 5s);
  CHECK(client.has_ended());
}

TEST_CASE("connection: a call may be quiet for longer than timeouts.body, other uploads may not") {
  const auto statuses_of = [](CallStage stage, uint64_t body_rate) {
    Bench bench({.limits = {.body_rate = body_rate}, .timeouts = {.body = 5s}});
    bench.origin->script = [stage](Exchange& exchange) -> Task<> {
      exchange.record.call_stage = stage;
      const auto text = co_await exchange.request_body->whole(100);
      if (text) exchange.respond(200, "text/plain", *text);
      else exchange.fail(text.error());
    };
    Caller caller(bench);
    const auto stream = caller.ask("/", http::BodySize::unknown());
    caller.exchange();
    caller.talk.codec.send_data(stream, Slice::literal("x"));
    caller.exchange();
    bench.pass(30s);
    caller.exchange();
    return caller.statuses();
  };
  CHECK(statuses_of(CallStage::none, 0) == Statuses{408});
  CHECK(statuses_of(CallStage::sent, 0) == Statuses{});
  CHECK(statuses_of(CallStage::sent, 1000) == Statuses{408});
  CHECK(statuses_of(CallStage::answered, 1000) == Statuses{});
}

TEST_CASE("connection: a slow answer doesn't hold up the others of its connection") {
  SlowOrigin bench;
  Caller caller(bench);
  caller.ask("/slow");
  caller.ask("/quick");
  caller.exchange();
  CHECK(caller.talk.events.received == "/quick");
  bench.go_on.set();
  caller.exchange();
  CHECK(caller.talk.events.received == "/quick/slow");
}

TEST_CASE("connection: a stream that its client resets is over, and only that one") {
  SlowOrigin bench;
  Caller caller(bench);
  const auto gone = caller.ask("/slow");
  caller.ask("/slow");
  caller.exchange();
  caller.talk.codec.reset(gone, ErrorCode::client_gone);
  caller.exchange();
  REQUIRE(bench.observer.seen.size() == 1);
  CHECK(bench.observer.seen[0].has(Flag::DC));
  bench.go_on.set();
  caller.exchange();
  CHECK(caller.statuses() == Statuses{200});
}

TEST_CASE("connection: a client that leaves takes all of its streams with it") {
  SlowOrigin bench;
  {
    Caller caller(bench);
    caller.ask("/slow");
    caller.ask("/slow");
    caller.exchange();
  }
  bench.settle();
  CHECK(bench.observer.seen.size() == 2);
  CHECK(bench.observer.connections == 0);
}

TEST_CASE("connection: a request's body opens its window as it is read") {
  Bench bench;
  uint64_t bytes = 0;
  bench.origin->script = [&](Exchange& exchange) -> Task<> {
    for (;;) {
      const auto chunk = co_await exchange.request_body->read();
      if (!chunk || chunk->is_end) break;
      bytes += chunk->data.size();
    }
    exchange.respond(204);
  };
  Caller caller(bench);
  constexpr size_t kSize = 3'000'000;
  const auto stream = caller.ask("/upload", http::BodySize::known(kSize));
  const std::string body(kSize, 'x');
  caller.talk.codec.send_data(stream, Slice::literal(body));
  caller.talk.codec.send_end(stream, nullptr);
  // The test's own socket takes a part at a time.
  std::string waiting;
  while (bytes < kSize || caller.statuses().empty()) {
    waiting += caller.talk.sent();
    const auto part = std::string_view(waiting).substr(0, 16 * 1024);
    if (!part.empty()) caller.peer.send(part);
    waiting.erase(0, part.size());
    bench.settle();
    const auto came = caller.peer.received();
    REQUIRE((!part.empty() || !came.empty()));
    caller.talk.feed(came);
  }
  CHECK(bytes == kSize);
  CHECK(caller.statuses() == Statuses{204});
}

TEST_CASE("connection: a body that nobody reads gives its bytes back to the connection's window") {
  Bench bench;
  Caller caller(bench);
  for (int i = 0; i < 20; ++i) {  // 20 x 100 KB: more than the connection's window
    const auto stream = caller.ask("/", http::BodySize::known(100'000));
    const std::string body(100'000, 'x');
    caller.talk.codec.send_data(stream, Slice::literal(body));
    caller.exchange();
  }
  CHECK(caller.statuses().size() == 20);
}

TEST_CASE("connection: bodies that are too large don't eat up the window of their connection") {
  Bench bench;
  bench.routes.route.max_body = 10'000;
  bench.origin->script = [](Exchange& exchange) -> Task<> {
    const auto text = co_await exchange.request_body->whole(1 << 20);
    if (text) exchange.respond(204);
    else exchange.fail(text.error());
  };
  Caller caller(bench);
  for (int i = 0; i < 40; ++i) {  // 40 x 50 KB, each whole in one read: more than the connection's window
    const auto stream = caller.ask("/", http::BodySize::unknown());
    caller.exchange();  // a route is found, and the body is awaited
    const std::string body(50'000, 'x');
    caller.talk.codec.send_data(stream, Slice::literal(body));
    caller.talk.codec.send_end(stream, nullptr);
    caller.exchange();
  }
  CHECK(caller.statuses() == Statuses(40, 413));
}

TEST_CASE("connection: bytes that break HTTP/2's rules end it with GOAWAY, and each stream is logged") {
  SlowOrigin bench;
  Caller caller(bench);
  caller.ask("/slow");
  caller.exchange();
  caller.peer.send(http::h2::frame(NGHTTP2_DATA, 0, 0, "on stream 0"));
  bench.settle();
  CHECK(http::h2::list(caller.peer.received()).find("GOAWAY") != std::string::npos);
  CHECK(bench.observer.seen.size() == 1);
  bench.pass(5s);
  CHECK(bench.observer.connections == 0);
}

TEST_CASE("connection: draining says GOAWAY and finishes what runs") {
  SlowOrigin bench;
  Caller caller(bench);
  caller.ask("/slow");
  caller.exchange();
  bench.gateway.drain();
  caller.exchange();
  CHECK(caller.talk.codec.capacity() == 0);
  bench.go_on.set();
  caller.exchange();
  CHECK(caller.statuses() == Statuses{200});
}

TEST_CASE("connection: resets by one client of a trusted proxy end no stream of another") {
  for (const bool is_trusted : {true, false}) {
    CAPTURE(is_trusted);
    SlowOrigin bench;
    bench.policy.forwarding.trusted_proxies = {*net::Network::parse(is_trusted ? "10.0.0.0/8" : "192.0.2.0/24")};
    Caller caller(bench);
    for (int i = 0; i < 3; ++i) caller.ask("/slow");
    caller.exchange();
    for (int i = 0; i < 1000 && caller.talk.codec.capacity() > 0; ++i) {
      const auto stream = caller.ask("/slow");
      caller.exchange();
      caller.talk.codec.reset(stream, ErrorCode::client_gone);
      caller.exchange();
    }
    CHECK(caller.talk.codec.capacity() == 0);
    bench.go_on.set();
    caller.exchange();
    CHECK(caller.statuses() == (is_trusted ? Statuses{200, 200, 200} : Statuses{}));
    CHECK(bench.observer.worn == (is_trusted ? 1 : 0));
  }
}

TEST_CASE("connection: a trusted proxy whose clients are answered may pass on as many resets as it likes") {
  SlowOrigin bench;
  bench.policy.forwarding.trusted_proxies = {*net::Network::parse("10.0.0.0/8")};
  Caller caller(bench);
  for (int i = 0; i < 1000; ++i) {
    caller.ask("/one");
    const auto stream = caller.ask("/slow");
    caller.exchange();
    caller.talk.codec.reset(stream, ErrorCode::client_gone);
    caller.exchange();
  }
  CHECK(bench.observer.worn == 0);
  CHECK(bench.observer.connections == 1);
}

TEST_CASE("connection: a client that takes nothing of one answer gets the others, and loses that one in time") {
  Bench bench;
  const std::string large(400'000, 'x');
  bench.origin->script = [&](Exchange& exchange) -> Task<> {
    exchange.respond(200, "text/plain", exchange.request.path == "/large" ? std::string_view(large) : "small");
    co_return;
  };
  Caller caller(bench);
  http::StreamId stuck = 0;
  caller.talk.events.when_data = [&](http::StreamId stream, size_t bytes) {
    if (stream != stuck) caller.talk.codec.consumed(stream, bytes);
  };
  stuck = caller.ask("/large");
  caller.exchange();
  CHECK(caller.talk.events.received.size() < large.size());
  caller.ask("/small");
  caller.exchange();
  CHECK(caller.talk.events.received.ends_with("small"));
  bench.pass(70s, 5s);
  caller.exchange();
  CHECK(caller.talk.events.resets.size() == 1);
  REQUIRE(bench.observer.seen.size() == 2);
  CHECK(bench.observer.seen[1].has(Flag::DC));
  CHECK(bench.observer.connections == 1);
}

TEST_CASE("connection: a response whose end a closed window keeps back is under way, until the client resets it") {
  SlowOrigin bench;
  bench.origin->script = [&](Exchange& exchange) -> Task<> {
    exchange.response.head.status = 200;
    exchange.response.body = make_in<SlowEnd>(exchange.arena(), exchange.arena(), bench.go_on);
    co_return;
  };
  RawCaller caller(bench, http::h2::setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 5));
  caller.send(http::h2::headers(1, http::h2::kGet));
  CHECK(caller.frames() == "HEADERS 1, DATA 1 5");
  bench.go_on.set();
  bench.settle();
  CHECK(caller.frames() == "");
  CHECK(bench.observer.seen.empty());
  caller.send(http::h2::rst_stream(1, NGHTTP2_CANCEL));
  REQUIRE(bench.observer.seen.size() == 1);
  CHECK(bench.observer.seen[0].has(Flag::DC));
  caller.send(http::h2::headers(3, http::h2::kGet));
  CHECK(caller.frames() == "HEADERS 3, DATA 3 5 END");
}

TEST_CASE("connection: a request that goes on behind its response is reset by a write of its own, its bytes dropped") {
  Bench bench;
  RawCaller caller(bench);
  caller.send(http::h2::headers(1, http::h2::kPost, 0));
  CHECK(caller.frames() == "HEADERS 1, DATA 1 1 END, RST_STREAM 1 NO_ERROR");
  caller.send(http::h2::data(1, "late") + http::h2::rst_stream(1, NGHTTP2_NO_ERROR));
  CHECK(caller.frames() == "");
  caller.send(http::h2::headers(3, http::h2::kGet));
  CHECK(caller.frames() == "HEADERS 3, DATA 3 1 END");
}

TEST_CASE("connection: the idle timeout cuts off no response that its client has yet to take") {
  // The socket takes about 200 KB: in some of these sizes all but a few KiB of the response is in the socket.
  for (size_t size = 100'000; size < 400'000; size += 15'000) {
    CAPTURE(size);
    Policy policy;
    policy.timeouts.idle = 5s;
    Bench bench(policy);
    const std::string large(size, 'x');
    bench.origin->script = [&](Exchange& exchange) -> Task<> {
      exchange.respond(200, "text/plain", large);
      co_return;
    };
    RawCaller caller(bench, http::h2::setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 30));
    caller.send(http::h2::window_update(0, 1 << 30) + http::h2::headers(1, http::h2::kGet));
    bench.pass(20s, 1s);
    std::string got;
    for (std::string piece = caller.peer.received(); !piece.empty(); piece = caller.peer.received()) {
      got += piece;
      bench.settle();
    }
    CHECK(got.size() > size);
    CHECK(http::h2::list(got).ends_with("END"));
    CHECK(bench.observer.seen.size() == 1);
  }
}

TEST_CASE("connection: a client that takes nothing of the end of its response is cut off after the write timeout") {
  Bench bench;
  const std::string large(300'000, 'x');
  bench.origin->script = [&](Exchange& exchange) -> Task<> {
    exchange.respond(200, "text/plain", large);
    co_return;
  };
  RawCaller caller(bench, http::h2::setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 30));
  caller.send(http::h2::window_update(0, 1 << 30) + http::h2::headers(1, http::h2::kGet));
  REQUIRE(bench.observer.seen.empty());
  bench.pass(70s, 5s);
  REQUIRE(bench.observer.seen.size() == 1);
  CHECK(bench.observer.seen[0].has(Flag::DC));
  bench.pass(70s, 5s);
  CHECK(bench.observer.connections == 0);
}

TEST_CASE("connection: however its last stream ends, a connection has the timer of an idle one") {
  Bench bench;
  bench.policy.limits.head.head_bytes = 1000;
  bench.origin->script = [&](Exchange& exchange) -> Task<> {
    if (exchange.request.path == "/") co_return exchange.respond(200);
    Signal never(bench.loop);
    co_await never.wait();
  };
  RawCaller caller(bench);
  http::h2::Fields slow = http::h2::kPost;
  slow.back().value = "/slow";
  SUBCASE("a response") { caller.send(http::h2::headers(1, http::h2::kGet)); }
  SUBCASE("a reset by the client") {
    caller.send(http::h2::headers(1, slow, 0));
    caller.send(http::h2::rst_stream(1, NGHTTP2_CANCEL));
  }
  SUBCASE("a reset by Weir") {
    caller.send(http::h2::headers(1, http::h2::with(http::h2::kGet, {{"connection", "close"}})));
  }
  SUBCASE("a refused head") {
    caller.send(http::h2::headers(1, http::h2::with(http::h2::kGet, {{"x", std::string(2000, 'y')}})));
  }
  SUBCASE("a refused head of an upload") {
    caller.send(http::h2::headers(1, http::h2::with(http::h2::kPost, {{"x", std::string(2000, 'y')}}), 0));
  }
  caller.frames();
  bench.pass(70s, 5s);
  CHECK(caller.frames() == "");
  bench.pass(10s, 1s);
  CHECK(caller.frames().starts_with("GOAWAY"));
  bench.pass(5s, 1s);
  CHECK(bench.observer.connections == 0);
}

TEST_CASE("connection: a client that says GOAWAY is let go after its last response") {
  SlowOrigin bench;
  RawCaller caller(bench);
  http::h2::Fields slow = http::h2::kGet;
  slow.back().value = "/slow";
  SUBCASE("none runs") {}
  SUBCASE("one runs") {
    caller.send(http::h2::headers(1, slow));
    caller.send(http::h2::goaway(0, NGHTTP2_NO_ERROR));
    CHECK_FALSE(caller.peer.has_ended());
    bench.go_on.set();
    bench.settle();
    CHECK(caller.frames() == "HEADERS 1, DATA 1 5 END");
  }
  caller.send(http::h2::goaway(0, NGHTTP2_NO_ERROR) + http::h2::ping());
  caller.frames();
  CHECK(caller.peer.has_ended());
  bench.pass(5s, 1s);
  CHECK(bench.observer.connections == 0);
}

}  // namespace weir::downstream
