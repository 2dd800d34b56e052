#include "upstream/liveness.h"

#include <doctest/doctest.h>

#include "unit/http/h2_bench.h"
#include "unit/upstream/backend.h"

namespace weir::upstream {
namespace {

using namespace std::chrono_literals;
namespace h2 = http::h2;

/// An endpoint whose HTTP/2 frames the test writes.
struct Endpoint2 {
  explicit Endpoint2(ForwardBench& bench) : bench(bench), peer(bench.accept()) {}

  void say(std::string_view frames) {
    peer.send(frames);
    bench.settle();
  }
  void open() { say(h2::settings() + h2::settings_ack()); }
  void respond(http::StreamId stream) { say(h2::headers(stream, h2::kOk)); }
  /// The frames that arrived since the last call.
  std::string frames() {
    bench.settle();
    received = peer.received();
    if (received.starts_with(h2::kMagic)) received.erase(0, h2::kMagic.size());
    return h2::list(received);
  }
  /// Until this is what has arrived.
  bool gets(const std::string& expected) {
    std::string all;
    const bool has_come = bench.until([&] {
      const auto more = frames();
      remember_ping();
      if (!more.empty()) all += (all.empty() ? "" : ", ") + more;
      return all == expected;
    });
    if (!has_come) MESSAGE("what came: " << all);
    return has_come;
  }
  void pong() { say(h2::frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, payload)); }
  bool has_ended() { return bench.ends(peer); }

  ForwardBench& bench;
  Peer peer;
  std::string received;
  std::string payload;  // of the last PING

 private:
  void remember_ping() {
    for (std::string_view rest = received; rest.size() >= 9;) {
      const auto size = static_cast<size_t>(static_cast<uint8_t>(rest[1]) << 8 | static_cast<uint8_t>(rest[2]));
      if (rest[3] == NGHTTP2_PING && rest[4] == 0) payload = rest.substr(9, 8);
      rest.remove_prefix(9 + size);
    }
  }
};

struct LiveBench : ForwardBench {
  explicit LiveBench(PingSettings pings = {})
      : ForwardBench({.timeouts = {.response = 10s}, .protocol = Protocol::http2, .pings = pings}) {}
  int64_t faults(const std::string& reason) {
    int64_t found = 0;
    metrics.for_each([&](const auto& name, auto, const auto&, const auto& labels, int64_t value, size_t) {
      if (name == "upstream_connection_faults" && labels[1].second == reason) found += value;
    });
    return found;
  }
  /// Nobody has opened another connection.
  bool has_another() {
    settle();
    return backend.accept().has_value();
  }
  FilterMetrics metrics;
};

/// A connection on which a request has timed out.
struct Doubted : LiveBench {
  explicit Doubted(PingSettings pings = {}) : LiveBench(pings) {
    endpoint().faults = std::make_shared<ConnectionFaults>("api", metrics);
    Request first(*this);
    first.start();
    dead.emplace(*this);
    advance(1s);
    dead->open();
    advance(10s);
    REQUIRE(first.failure() == ErrorCode::response_timeout);
    REQUIRE(dead->gets("HEADERS 1 END, PING, RST_STREAM 1 CANCEL"));
  }
  std::optional<Endpoint2> dead;
};

}  // namespace

TEST_CASE("liveness: after a timeout on a silent connection no request uses it until the endpoint answered a PING") {
  Doubted bench;
  Request second(bench);
  second.start();
  Endpoint2 other(bench);
  other.open();
  CHECK(other.gets("HEADERS 1 END"));
  bench.dead->pong();
  Request third(bench);
  third.start();
  CHECK(bench.dead->gets("HEADERS 3 END"));
  CHECK_FALSE(bench.has_another());
  bench.dead->respond(3);
  other.respond(1);
  CHECK(third.status() == 200);
  CHECK(second.status() == 200);
}

TEST_CASE("liveness: a PING without an answer ends the connection, and is counted") {
  Doubted bench({.timeout = 3s});
  bench.advance(2s);
  CHECK_FALSE(bench.dead->peer.has_ended());
  bench.advance(2s);
  CHECK(bench.dead->has_ended());
  CHECK(bench.endpoint().connections == 0);
  CHECK(bench.faults("silent") == 1);
}

TEST_CASE("liveness: an answer to a PING that wasn't sent is none") {
  Doubted bench;
  bench.dead->say(h2::frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "whatever"));
  Request second(bench);
  second.start();
  Endpoint2 other(bench);
  CHECK(other.gets("HEADERS 1 END"));
}

TEST_CASE("liveness: bytes give the answer to a PING more time, but no requests") {
  Doubted bench({.timeout = 3s});
  for (int i = 0; i < 5; ++i) {
    CAPTURE(i);
    bench.advance(2s);
    bench.dead->say(h2::window_update(0, 1));
  }
  CHECK_FALSE(bench.dead->peer.has_ended());
  Request second(bench);
  second.start();
  Endpoint2 other(bench);
  bench.advance(4s);
  CHECK(bench.dead->has_ended());
}

TEST_CASE("liveness: requests that still wait on a dead connection go once more over another one") {
  LiveBench bench;
  Request warming(bench);
  warming.start();
  Endpoint2 dead(bench);
  dead.open();
  dead.respond(1);
  CHECK(warming.status() == 200);
  warming.read();
  dead.frames();
  Request early(bench);
  early.start();
  CHECK(dead.gets("HEADERS 3 END"));
  bench.advance(9s);
  Request late(bench);
  late.start();
  CHECK(dead.gets("HEADERS 5 END"));
  bench.advance(2s);
  CHECK(early.failure() == ErrorCode::response_timeout);
  bench.advance(3s);
  CHECK(dead.has_ended());
  Endpoint2 other(bench);
  other.open();
  CHECK(other.gets("HEADERS 1 END"));
  other.respond(1);
  CHECK(late.status() == 200);
}

TEST_CASE("liveness: a slow request among others that are answered is no reason for a PING") {
  LiveBench bench;
  Request slow(bench), quick(bench);
  slow.start();
  Endpoint2 peer(bench);
  peer.open();
  bench.advance(8s);
  quick.start();
  CHECK(peer.gets("HEADERS 1 END, HEADERS 3 END"));
  peer.respond(3);
  CHECK(quick.status() == 200);
  bench.advance(3s);
  CHECK(slow.failure() == ErrorCode::response_timeout);
  CHECK(peer.gets("RST_STREAM 1 CANCEL"));
  Request next(bench);
  next.start();
  CHECK(peer.gets("HEADERS 5 END"));
}

TEST_CASE("liveness: a client that leaves is a reason for a PING if it has waited in silence for long") {
  LiveBench bench;
  auto patient = std::make_unique<Request>(bench);
  patient->start();
  Endpoint2 peer(bench);
  peer.open();
  auto hasty = std::make_unique<Request>(bench);
  hasty->start();
  CHECK(peer.gets("HEADERS 1 END, HEADERS 3 END"));
  bench.advance(1s);
  hasty.reset();
  CHECK(peer.gets("RST_STREAM 3 CANCEL"));
  bench.advance(2s);
  patient.reset();
  CHECK(peer.gets("PING, RST_STREAM 1 CANCEL"));
}

TEST_CASE("liveness: a PING for a client that left, without an answer, cuts off nobody") {
  LiveBench bench;
  Request patient(bench);
  patient.start();
  Endpoint2 peer(bench);
  peer.open();
  auto hasty = std::make_unique<Request>(bench);
  hasty->start();
  CHECK(peer.gets("HEADERS 1 END, HEADERS 3 END"));
  bench.advance(3s);
  hasty.reset();
  CHECK(peer.gets("PING, RST_STREAM 3 CANCEL"));
  bench.advance(4s);
  CHECK_FALSE(peer.peer.has_ended());
  Request late(bench);
  late.start();
  Endpoint2 other(bench);
  other.open();
  CHECK(other.gets("HEADERS 1 END"));
  peer.respond(1);
  CHECK(patient.status() == 200);
}

TEST_CASE(
    "liveness: until a response comes there are two PINGs out of doubt; a timeout keeps requests away without one") {
  LiveBench bench;
  auto leaving = std::make_unique<Request>(bench);
  leaving->start();
  Endpoint2 peer(bench);
  peer.open();
  CHECK(peer.gets("HEADERS 1 END"));
  bench.advance(3s);
  leaving.reset();
  CHECK(peer.gets("PING, RST_STREAM 1 CANCEL"));
  peer.pong();
  const auto leave = [&](http::StreamId stream, const std::string& before) {
    leaving = std::make_unique<Request>(bench);
    leaving->start();
    const auto id = std::to_string(stream);
    CHECK(peer.gets("HEADERS " + id + " END"));
    bench.advance(3s);
    leaving.reset();
    CHECK(peer.gets(before + "RST_STREAM " + id + " CANCEL"));
  };
  leave(3, "PING, ");
  peer.pong();
  leave(5, "");
  Request late(bench);
  late.start();
  CHECK(peer.gets("HEADERS 7 END"));
  bench.advance(11s);
  CHECK(late.failure() == ErrorCode::response_timeout);
  CHECK(peer.gets("RST_STREAM 7 CANCEL"));
  Request second(bench);
  second.start();
  Endpoint2 other(bench);
  other.open();
  CHECK(other.gets("HEADERS 1 END"));
  peer.say(h2::window_update(0, 1));
  Request third(bench);
  third.start();
  CHECK(peer.gets("HEADERS 9 END"));
  peer.respond(9);
  CHECK(third.status() == 200);
}

TEST_CASE("liveness: keep-alive PINGs leave after an interval of silence; their answers keep the connection") {
  LiveBench bench({.interval = 5s});
  Request request(bench);
  request.start();
  Endpoint2 peer(bench);
  peer.open();
  CHECK(peer.gets("HEADERS 1 END"));
  bench.advance(4s);
  peer.respond(1);
  bench.advance(4s);  // 4 s after the response
  CHECK(peer.frames().empty());
  for (int i = 0; i < 3; ++i) {
    bench.advance(6s);
    CHECK(peer.gets("PING"));
    peer.pong();
  }
  Request next(bench);
  next.start();
  CHECK(peer.gets("HEADERS 3 END"));
}

TEST_CASE("liveness: a keep-alive PING without an answer ends the connection; until then it takes requests") {
  LiveBench bench({.interval = 5s});
  Request request(bench, http::Method::post);
  request.start();
  Endpoint2 peer(bench);
  peer.open();
  CHECK(peer.gets("HEADERS 1 END"));
  bench.advance(6s);
  CHECK(peer.gets("PING"));
  Request next(bench, http::Method::post);
  next.start();
  CHECK(peer.gets("HEADERS 3 END"));
  bench.advance(3s);
  CHECK(request.failure() == ErrorCode::connection_reset);
  CHECK(next.failure() == ErrorCode::connection_reset);
  CHECK(peer.has_ended());
}

TEST_CASE("liveness: who waits for an endpoint's first SETTINGS makes another connection when they are late") {
  LiveBench bench;
  Request first(bench), second(bench);
  first.start();
  Endpoint2 mute(bench);
  second.start();
  CHECK_FALSE(bench.has_another());
  bench.advance(3s);
  Endpoint2 other(bench);
  other.open();
  CHECK(other.gets("HEADERS 1 END"));
  other.respond(1);
  CHECK(second.status() == 200);
  mute.open();  // late, but alive
  mute.respond(1);
  CHECK(first.status() == 200);
}

TEST_CASE("liveness: a connection that never said anything and has no request is closed") {
  LiveBench bench;
  auto hasty = std::make_unique<Request>(bench);
  hasty->start();
  Endpoint2 mute(bench);
  bench.advance(1s);
  hasty.reset();
  bench.advance(2s);
  CHECK(mute.has_ended());
}

TEST_CASE("liveness: a connection that never said anything isn't used for the next WebSocket") {
  LiveBench bench;
  Request first(bench);
  first.exchange.request.protocol = "websocket";
  first.start();
  Endpoint2 mute(bench);
  CHECK(mute.frames().empty());
  bench.advance(3s);
  bench.advance(3s);
  CHECK(first.failure() == ErrorCode::protocol_error);
  Request second(bench);
  second.exchange.request.protocol = "websocket";
  second.start();
  Endpoint2 other(bench);
  other.say(h2::settings(h2::setting(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1)) + h2::settings_ack());
  CHECK(other.gets("HEADERS 1 END"));
  bench.advance(3s);
  CHECK(mute.has_ended());
}

TEST_CASE("liveness: the end of an idle HTTP/2 connection is noticed before a request goes over it") {
  for (const bool has_goaway : {false, true}) {
    LiveBench bench;
    Request first(bench);
    first.start();
    Endpoint2 peer(bench);
    peer.open();
    peer.respond(1);
    CHECK(first.status() == 200);
    first.read();
    bench.settle();
    if (has_goaway) peer.peer.send(h2::goaway(1, NGHTTP2_NO_ERROR));
    else peer.peer.close();
    Request second(bench, http::Method::post);
    second.start();  // before the loop has looked at the socket
    Endpoint2 other(bench);
    other.open();
    other.respond(1);
    CHECK(second.status() == 200);
  }
}

}  // namespace weir::upstream
