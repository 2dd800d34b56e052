#include <doctest/doctest.h>

#include <deque>

#include "exchange/backlog.h"
#include "unit/http/h2_bench.h"
#include "unit/upstream/backend.h"
#include "unit/upstream/stub_gate.h"

namespace weir::upstream {
namespace {

using namespace std::chrono_literals;

/// An endpoint's end of an HTTP/2 connection.
struct Server {
  Server(ForwardBench& bench, http::H2Limits limits = {})
      : bench(bench),
        peer(bench.accept()),
        pool(16 * 1024),
        arena(pool),
        output(pool),
        events(pool),
        codec(http::Role::server, {}, events, output, limits) {
    events.when_data = [this](http::StreamId stream, size_t bytes) { codec.consumed(stream, bytes); };
  }
  /// Until so many requests have come.
  void await(size_t requests) {
    REQUIRE(bench.until([&] {
      talk();
      return events.requests.size() >= requests;
    }));
  }
  void respond(http::StreamId stream, uint16_t status, std::string_view body) {
    http::ResponseHead head(arena);
    head.status = status;
    codec.send_response(stream, head, http::BodySize::known(body.size()));
    if (!body.empty()) codec.send_data(stream, Slice::literal(body));
    codec.send_end(stream, nullptr);
    talk();
  }
  /// Sends what there is to say, and takes what has come.
  void talk() {
    const auto came = peer.received();
    if (!came.empty()) REQUIRE(codec.feed(Slice::literal(came)).has_value());
    codec.flush();
    while (!output.is_empty()) {
      const std::string piece(output.front().view());
      peer.send(piece);
      output.consume(piece.size());
    }
  }

  ForwardBench& bench;
  Peer peer;
  BlockPool pool;
  Arena arena;
  Output output;
  http::Transcript events;
  http::H2Codec codec;
};

struct Http2Bench : ForwardBench {
  Http2Bench() : ForwardBench({.protocol = Protocol::http2}) {}
  bool has_another() {
    for (int turn = 0; turn < 20; ++turn) loop.poll();
    return backend.accept().has_value();
  }
};

/// A client whose connection carries many streams.
struct ManyStreams : ClientSide {
  explicit ManyStreams(ForwardBench& bench)
      : ends(connected_pair()),
        socket(bench.loop, ends.first),
        peer(ends.second),
        wire(bench.loop, socket, bench.blocks, kErrors),
        http(&wire.output(), http::Role::server) {
    wire.use(http.codec);
  }
  void inform(const http::ResponseHead&) override {}
  Backlog* backlog() override { return wire.backlog(); }

  static constexpr Wire::Errors kErrors{};
  std::pair<int, int> ends;
  net::Socket socket;
  Peer peer;
  Wire wire;
  http::BenchOf<http::H2Codec> http;
};

/// A request body of which nothing comes.
struct Unending : Body {
  Unending(Arena& arena, Loop& loop) : Body(arena), signal(loop) {}
  Task<Result<Chunk>> read() override {
    co_await signal.wait();
    co_return Chunk::end();
  }
  http::BodySize size() const override { return http::BodySize::unknown(); }
  bool is_exact() const override { return true; }
  Signal signal;
};

}  // namespace

TEST_CASE("forward: over HTTP/2, a request and its answer") {
  Http2Bench bench;
  Request request(bench, http::Method::post);
  request.body("question").start();
  Server server(bench);
  server.await(1);
  CHECK(server.events.requests[0].path == "/a");
  CHECK(server.events.requests[0].authority == "example.com");
  REQUIRE(bench.until([&] {
    server.talk();
    return server.events.ends == 1;
  }));
  CHECK(server.events.received == "question");
  server.respond(1, 200, "answer");
  CHECK(request.text() == "answer");
  CHECK(request.attempt().outcome == Outcome::answered);
}

TEST_CASE("forward: requests that begin together share the connection that the first one makes") {
  Http2Bench bench;
  Request one(bench), two(bench), three(bench);
  one.start();
  two.start();
  three.start();
  Server server(bench);
  server.await(3);
  CHECK_FALSE(bench.has_another());
  for (const http::StreamId stream : {5, 1, 3}) server.respond(stream, 200, std::to_string(stream));
  CHECK(one.text() == "1");
  CHECK(two.text() == "3");
  CHECK(three.text() == "5");
  CHECK(bench.endpoint().connections.load() == 1);
}

TEST_CASE("forward: past the streams that an endpoint allows, another connection is made") {
  Http2Bench bench;
  Request first(bench);
  first.start();
  Server server(bench, {.streams = 1});
  server.await(1);
  Request second(bench);
  second.start();
  Server other(bench);
  other.await(1);
  server.respond(1, 200, "first");
  other.respond(1, 200, "second");
  CHECK(first.text() == "first");
  CHECK(second.text() == "second");
}

TEST_CASE("forward: as many connections are made at once as the requests that wait need") {
  Http2Bench bench;
  std::deque<Request> requests;
  for (int i = 0; i < 9; ++i) requests.emplace_back(bench).start();
  Server first(bench, {.streams = 2});
  CHECK_FALSE(bench.has_another());  // it might take them all
  first.await(2);
  // Seven are left, for four connections, of which none has said a word yet.
  std::deque<Server> others;
  for (int i = 0; i < 4; ++i) others.emplace_back(bench, http::H2Limits{.streams = 2});
  CHECK_FALSE(bench.has_another());
  for (auto& server : others) server.talk();
  size_t served = 2;
  REQUIRE(bench.until([&] {
    served = 2;
    for (auto& server : others) {
      server.talk();
      served += server.events.requests.size();
    }
    return served == 9;
  }));
  CHECK(bench.endpoint().connections.load() == 5);
  // It is known by now how many it takes: those that come next wait for nobody.
  std::deque<Request> more;
  for (int i = 0; i < 5; ++i) more.emplace_back(bench).start();
  for (int i = 0; i < 2; ++i) others.emplace_back(bench, http::H2Limits{.streams = 2});
  CHECK_FALSE(bench.has_another());
}

TEST_CASE("forward: a request that leaves while it makes the connection of others leaves them one of their own") {
  Http2Bench bench;
  auto first = std::make_unique<Request>(bench);
  first->start();
  Request second(bench), third(bench);
  second.start();
  third.start();
  first.reset();
  std::deque<Peer> abandoned;
  abandoned.push_back(bench.accept());
  Server server(bench);
  server.await(2);
  CHECK_FALSE(bench.has_another());
  server.respond(1, 200, "second");
  server.respond(3, 200, "third");
  CHECK(second.text() == "second");
  CHECK(third.text() == "third");
}

TEST_CASE("forward: a request that has waited in vain for the connection of another makes its own, and no failure") {
  Http2Bench bench;
  Request first(bench), second(bench);
  first.start();
  second.start();
  Peer silent = bench.accept();  // its SETTINGS never come
  CHECK_FALSE(bench.has_another());
  bench.advance(bench.settings.timeouts.connect + 10ms);
  Server server(bench);
  server.await(1);
  server.respond(1, 200, "second");
  CHECK(second.text() == "second");
  CHECK(bench.endpoint().failures.load() == 0);
  CHECK(bench.endpoint().backoff.failures() == 0);
}

TEST_CASE("forward: nobody waits for a connection that was closed before it said how many requests it takes") {
  Http2Bench bench;
  auto first = std::make_unique<Request>(bench);
  first->start();
  Peer silent = bench.accept();
  bench.settle();
  first.reset();
  bench.pool.close_idle();
  bench.settle();
  Request second(bench);
  second.start();
  Server server(bench);
  server.await(1);
  server.respond(1, 200, "second");
  CHECK(second.text() == "second");
}

TEST_CASE("forward: a request that leaves gives its stream to one that waits for a connection") {
  Http2Bench bench;
  Request first(bench);
  first.start();
  Server server(bench, {.streams = 2});
  server.await(1);
  Request second(bench);
  second.start();
  server.await(2);
  Request third(bench), fourth(bench);
  third.start();   // makes a connection
  fourth.start();  // waits for it
  Peer silent = bench.accept();
  server.respond(1, 200, "first");
  CHECK(first.text() == "first");
  server.await(3);
  server.respond(5, 200, "fourth");
  CHECK(fourth.text() == "fourth");
}

TEST_CASE("forward: a stream that the endpoint refused goes once more, on its connection, whatever its method") {
  Http2Bench bench;
  Request request(bench, http::Method::post);
  request.start();
  Server server(bench);
  server.await(1);
  server.peer.send(http::h2::rst_stream(1, NGHTTP2_REFUSED_STREAM));
  server.await(2);
  CHECK_FALSE(bench.has_another());
  server.respond(3, 200, "done");
  CHECK(request.text() == "done");
}

TEST_CASE("forward: a stream that the endpoint refused goes once more, on another connection if its own is full") {
  Http2Bench bench;
  Request request(bench, http::Method::post);
  request.start();
  Server server(bench);
  server.await(1);
  server.peer.send(http::h2::settings(http::h2::setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0)) +
                   http::h2::rst_stream(1, NGHTTP2_REFUSED_STREAM));
  Server other(bench);
  other.await(1);
  other.respond(1, 200, "done");
  CHECK(request.text() == "done");
}

TEST_CASE("forward: a stream that the endpoint reset is an answer, and its request isn't sent again") {
  Http2Bench bench;
  Request first(bench), second(bench);
  first.start();
  Server server(bench);
  server.await(1);
  server.respond(1, 200, "done");
  CHECK(first.text() == "done");
  second.start();
  server.await(2);
  server.peer.send(http::h2::rst_stream(3, NGHTTP2_INTERNAL_ERROR));
  REQUIRE(bench.until([&] { return second.task.is_done(); }));
  REQUIRE(second.exchange.failure);
  CHECK(second.exchange.failure->detail == "reset with INTERNAL_ERROR");
  CHECK(server.events.requests.size() == 2);
  CHECK_FALSE(bench.has_another());
}

TEST_CASE("forward: no more HTTP/2 connections are kept without requests than may idle") {
  ForwardBench bench({.protocol = Protocol::http2, .max_idle = 2});
  std::vector<std::unique_ptr<Request>> requests;
  std::vector<std::unique_ptr<Server>> servers;
  for (int i = 0; i < 4; ++i) {
    requests.push_back(std::make_unique<Request>(bench));
    requests.back()->start();
    servers.push_back(std::make_unique<Server>(bench, http::H2Limits{.streams = 1}));
    servers.back()->await(1);
  }
  for (int i = 0; i < 4; ++i) {
    servers[i]->respond(1, 200, "done");
    CHECK(requests[i]->text() == "done");
  }
  CHECK(bench.until([&] { return bench.endpoint().connections == 2; }));
}

TEST_CASE("forward: an endpoint that says GOAWAY finishes what it took, and gets nothing new") {
  Http2Bench bench;
  Request first(bench);
  first.start();
  Server server(bench);
  server.await(1);
  server.peer.send(http::h2::goaway(1, NGHTTP2_NO_ERROR));
  bench.settle();
  Request second(bench);
  second.start();
  Server other(bench);
  other.await(1);
  other.respond(1, 200, "second");
  CHECK(second.text() == "second");
  server.respond(1, 200, "first");
  CHECK(first.text() == "first");
}

TEST_CASE("forward: a connection that breaks fails all of its requests") {
  Http2Bench bench;
  Request one(bench, http::Method::post), two(bench, http::Method::post);
  one.start();
  two.start();
  {
    Server server(bench);
    server.await(2);
  }
  CHECK(one.failure() == ErrorCode::incomplete_response);
  CHECK(two.failure() == ErrorCode::incomplete_response);
  REQUIRE(bench.until([&] { return bench.endpoint().connections.load() == 0; }));
}

TEST_CASE("forward: an exchange that is dropped resets its stream and leaves the connection to the others") {
  Http2Bench bench;
  Request stays(bench);
  auto leaves = std::make_unique<Request>(bench);
  stays.start();
  leaves->start();
  Server server(bench);
  server.await(2);
  leaves.reset();
  REQUIRE(bench.until([&] {
    server.talk();
    return !server.events.resets.empty();
  }));
  server.respond(1, 200, "stays");
  CHECK(stays.text() == "stays");
}

TEST_CASE("forward: an endpoint that speaks no HTTP/2 fails the request") {
  Http2Bench bench;
  Request request(bench);
  request.start();
  Peer peer = bench.accept();
  peer.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  CHECK(request.failure() == ErrorCode::protocol_error);
}

TEST_CASE("forward: a WebSocket goes over HTTP/2 only to an endpoint that takes it") {
  Http2Bench bench;
  Request request(bench);
  request.exchange.request.protocol = "websocket";
  request.start();
  Peer peer = bench.accept();
  SUBCASE("it doesn't") {
    peer.send(http::h2::settings());
    CHECK(request.failure() == ErrorCode::protocol_error);
  }
  SUBCASE("it says nothing") {
    REQUIRE(bench.until([&] { return peer.received().size() > 0; }));
    bench.advance(6s);
    CHECK(request.failure() == ErrorCode::protocol_error);
  }
}

TEST_CASE("forward: an endpoint that can't say whether it takes a WebSocket has failed; one that says no has not") {
  Gates gates;
  auto settings = gated(gates);
  settings.protocol = Protocol::http2;
  settings.outlier_detection.emplace();
  ForwardBench bench(std::move(settings));
  Request request(bench);
  request.exchange.request.protocol = "websocket";
  request.start();
  Peer peer = bench.accept();
  REQUIRE(bench.until([&] { return peer.received().size() > 0; }));
  Outcome expected = Outcome::abandoned;
  SUBCASE("it says no") { peer.send(http::h2::settings()); }
  SUBCASE("it says nothing") {
    expected = Outcome::timed_out;
    bench.advance(6s);
  }
  SUBCASE("it goes") {
    expected = Outcome::broken;
    peer.close();
  }
  CHECK(request.failure() == ErrorCode::protocol_error);
  CHECK(request.attempt().outcome == expected);
  const bool has_failed = expected != Outcome::abandoned;
  CHECK(bench.endpoint().failures == has_failed);
  CHECK(bench.endpoint().outlier.total == has_failed);
  REQUIRE(gates.size() == 2);
  for (auto& [name, gate] : gates) {
    REQUIRE(gate->settled.size() == 1);
    CHECK(gate->settled[0].outcome == expected);
  }
}

TEST_CASE("forward: frames of a stream that an early response has ended are ignored") {
  Http2Bench bench;
  Request request(bench, http::Method::post);
  request.exchange.request_body = make_in<Unending>(request.arena, request.arena, bench.loop);
  request.start();
  Server server(bench);
  server.await(1);
  server.respond(1, 403, "no");
  CHECK(request.text() == "no");
  bench.settle();
  server.peer.send(http::h2::rst_stream(1, NGHTTP2_NO_ERROR));
  bench.settle();
  Request next(bench);
  next.start();
  server.await(2);
  server.respond(3, 200, "next");
  CHECK(next.text() == "next");
}

TEST_CASE("forward: frames of a stream behind a refused WebSocket are ignored") {
  Http2Bench bench;
  Request request(bench);
  request.exchange.request.protocol = "websocket";
  request.exchange.request_body = make_in<Unending>(request.arena, request.arena, bench.loop);
  request.start();
  Server server(bench);
  server.await(1);
  server.respond(1, 403, "");
  CHECK(request.status() == 403);
  CHECK(request.text() == "");
  bench.settle();
  server.peer.send(http::h2::rst_stream(1, NGHTTP2_NO_ERROR));
  bench.settle();
  Request next(bench);
  next.start();
  server.await(2);
  server.respond(3, 200, "next");
  CHECK(next.text() == "next");
}

TEST_CASE("forward: an HTTP/2 endpoint sends no further ahead than the client's backlog has room") {
  Http2Bench bench;
  ManyStreams client(bench);
  size_t expected = 0;
  SUBCASE("all of it is used") {
    client.wire.backlog()->add(Backlog::kShared);
    expected = 8 * 1024;
  }
  SUBCASE("none of it is used") { expected = 8 * 1024 + 128 * 1024; }
  Request first(bench);
  first.start();
  Server server(bench);
  server.await(1);
  server.respond(1, 200, "first");  // from here on Weir's settings are in force
  CHECK(first.text() == "first");
  Request request(bench, http::Method::get, &client);
  request.start();
  server.await(2);
  const std::string large(400'000, 'x');
  server.respond(3, 200, large);
  for (int turn = 0; turn < 20; ++turn) {
    bench.settle();
    server.talk();
  }
  CHECK(large.size() - server.codec.held_back(3) == expected);
}

TEST_CASE("forward: an HTTP/1.1 endpoint is read no further ahead than the client's backlog has room") {
  ForwardBench bench;
  ManyStreams client(bench);
  client.wire.backlog()->add(Backlog::kShared - 1000);
  Request request(bench, http::Method::get, &client);
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  const std::string large(400'000, 'x');
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n");
  CHECK(request.status() == 200);
  size_t sent = 0;
  for (int turn = 0; turn < 50; ++turn) {
    sent += peer.push(std::string_view(large).substr(sent));
    bench.settle();
  }
  const auto ahead = Backlog::kShared - client.wire.backlog()->shared_room() - (Backlog::kShared - 1000);
  CHECK(ahead <= Backlog::kOwn + 1000);
  CHECK(ahead > 0);
}

TEST_CASE("forward: a request whose connection was made while its endpoint went down gets its response") {
  Http2Bench bench;
  Request request(bench);
  request.start();
  ++bench.endpoint().outages;
  Server server(bench);
  server.await(1);
  bench.settle();
  server.respond(1, 200, "response");
  CHECK(request.text() == "response");
  bench.settle();
  CHECK(bench.endpoint().connections.load() == 0);  // no further request uses it
}

TEST_CASE("forward: a call whose request stays open ends after the tunnel timeout") {
  Http2Bench bench;
  Request request(bench, http::Method::post);
  request.exchange.request.headers.add("content-type", "application/grpc");
  request.exchange.call = GrpcForm::grpc;
  request.exchange.request_body = make_in<Unending>(request.arena, request.arena, bench.loop);
  request.start();
  Server server(bench);
  server.await(1);
  CHECK(request.exchange.record.call_stage == CallStage::sent);
  bench.advance(std::chrono::minutes(2));
  CHECK_FALSE(request.exchange.failure);
  bench.advance(std::chrono::hours(1) + 1s);
  CHECK(request.failure() == ErrorCode::response_timeout);
}

TEST_CASE("forward: a content type alone makes no call: timeouts.response holds") {
  Http2Bench bench;
  Request request(bench, http::Method::post);
  request.exchange.request.headers.add("content-type", "application/grpc");
  request.start();
  Server server(bench);
  server.await(1);
  bench.advance(61s);
  CHECK(request.failure() == ErrorCode::response_timeout);
}

TEST_CASE("forward: a call that is answered otherwise than by gRPC is a response like any other") {
  Http2Bench bench;
  Request request(bench, http::Method::post);
  request.exchange.request.headers.add("content-type", "application/grpc");
  request.exchange.call = GrpcForm::grpc;
  request.start();
  Server server(bench);
  server.await(1);
  server.respond(1, 200, "a page");
  CHECK(request.status() == 200);
  CHECK(request.exchange.record.call_stage == CallStage::sent);
}

}  // namespace weir::upstream
