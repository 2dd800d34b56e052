#include "upstream/forward.h"

#include "unit/upstream/backend.h"

namespace weir::upstream {
namespace {

using namespace std::chrono_literals;

constexpr std::initializer_list<size_t> kFragments{1, 2, 3, 7, 31, 1 << 20};

/// A request's body that comes when the test says so.
struct Upload : Body {
  Upload(Arena& arena, Loop& loop) : Body(arena), signal(loop) {}
  Task<Result<Chunk>> read() override {
    is_touched = true;
    while (!next) co_await signal.wait();
    co_return std::exchange(next, std::nullopt).value();
  }
  http::BodySize size() const override { return http::BodySize::unknown(); }
  bool is_exact() const override { return true; }
  bool rewind() override { return !is_touched; }
  void come(Result<Chunk> chunk) {
    next = std::move(chunk);
    signal.notify();
  }
  Signal signal;
  std::optional<Result<Chunk>> next;
  bool is_touched = false;
};

Upload& upload_of(Request& request) {
  auto body = make_in<Upload>(request.arena, request.arena, request.bench.loop);
  auto& upload = *body;
  request.exchange.request_body = std::move(body);
  return upload;
}

/// An idle connection that the endpoint closes only when the next request is already on it.
void die_under(ForwardBench& bench, Peer& peer) {
  bench.receive(peer);
  peer.close();
}

}  // namespace

TEST_CASE("forward: sends the request, and leaves the response's head and body") {
  ForwardBench bench;
  Request request(bench);
  request.exchange.request.headers.add("X-Mine", "1");
  request.start();
  Peer peer = bench.accept();
  const auto sent = bench.receive(peer);
  CHECK(sent.starts_with("GET /a HTTP/1.1\r\n"));
  CHECK(sent.find("\r\nHost: example.com\r\n") != std::string::npos);
  CHECK(sent.find("\r\nX-Mine: 1\r\n") != std::string::npos);
  peer.send(kHello);
  CHECK(request.status() == 200);
  CHECK(request.text() == "hello");
  CHECK(request.attempt().outcome == Outcome::answered);
  CHECK(request.attempt().status == 200);
}

TEST_CASE("forward: however a response is cut up, it is the same response") {
  const std::string response =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n there\r\n0\r\nX-Trailer: 1\r\n\r\n";
  for (const size_t fragment : kFragments) {
    CAPTURE(fragment);
    ForwardBench bench;
    Request request(bench);
    request.start();
    Peer peer = bench.accept();
    bench.receive(peer);
    for (size_t at = 0; at < response.size(); at += fragment) {
      peer.send(std::string_view(response).substr(at, fragment));
      bench.settle();
    }
    CHECK(request.text() == "hello there");
  }
}

TEST_CASE("forward: the Host that the upstream's rule wants") {
  const auto host = [](HostRule rule) {
    ForwardBench bench({.host = std::move(rule)});
    Request request(bench);
    request.start();
    Peer peer = bench.accept();
    const auto sent = bench.receive(peer);
    const auto at = sent.find("Host: ") + 6;
    const auto value = sent.substr(at, sent.find("\r\n", at) - at);
    return value == bench.backend.address().text() ? "(endpoint)" : value;
  };
  CHECK(host({}) == "example.com");
  CHECK(host({.from = HostRule::From::endpoint}) == "(endpoint)");
  CHECK(host({.from = HostRule::From::fixed, .name = "api.internal"}) == "api.internal");
}

TEST_CASE(
    "forward: at an HTTP/1.1 endpoint a call is a request like any other, unless the route says that it is gRPC") {
  for (const bool is_grpc_route : {false, true}) {
    CAPTURE(is_grpc_route);
    ForwardBench bench;
    Route route;
    route.is_grpc = is_grpc_route;
    Request request(bench, http::Method::post);
    request.exchange.request.headers.add("content-type", "application/grpc");
    request.exchange.call = GrpcForm::grpc;
    request.exchange.route = &route;
    request.start();
    Peer peer = bench.accept();
    bench.receive(peer);
    bench.advance(std::chrono::seconds(61));
    CHECK(request.exchange.failure.has_value() == !is_grpc_route);
  }
}

namespace {

/// A backend whose health is checked, and whose requests are cut when it goes down.
ForwardBench cut_on_down() {
  UpstreamSettings settings;
  settings.health_check.emplace();
  settings.health_check->on_down = OnDown::cut;
  return ForwardBench(settings);
}

}  // namespace

TEST_CASE("forward: with on_down: cut, a request that waits for an endpoint ends when that goes down") {
  ForwardBench bench = cut_on_down();
  Request request(bench, http::Method::post);
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  bench.advance(std::chrono::seconds(1));
  CHECK_FALSE(request.task.is_done());
  bench.endpoint().health = Health::down;
  bench.advance(std::chrono::milliseconds(510));
  CHECK(request.failure() == ErrorCode::connection_reset);
  CHECK(request.exchange.failure->detail == "the endpoint went down while the request waited for it");
  CHECK(bench.ends(peer));
}

TEST_CASE("forward: with on_down: cut, a response that comes is not cut, and one that stands still is") {
  ForwardBench bench = cut_on_down();
  Request request(bench);
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
  REQUIRE(request.status() == 200);
  bench.endpoint().health = Health::down;
  auto whole = request.exchange.response.body->whole(1000);
  whole.start();
  for (int i = 0; i < 10; ++i) {
    peer.send("x");
    bench.settle();
    bench.advance(std::chrono::milliseconds(240));
  }
  CHECK_FALSE(whole.is_done());
  bench.advance(std::chrono::milliseconds(510));
  REQUIRE(bench.until([&] { return whole.is_done(); }));
  CHECK(whole.take().error().code == ErrorCode::connection_reset);
}

TEST_CASE("forward: without on_down: cut, requests wait for an endpoint that went down") {
  UpstreamSettings settings;
  settings.health_check.emplace();
  ForwardBench bench(settings);
  Request request(bench);
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  bench.endpoint().health = Health::down;
  bench.advance(std::chrono::seconds(2));
  peer.send(kHello);
  CHECK(request.text() == "hello");
}

TEST_CASE("forward: a lease counts until the response is read, and no longer") {
  ForwardBench bench;
  Request request(bench);
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  CHECK(bench.endpoint().active == 1);
  peer.send(kHello);
  request.status();
  CHECK(bench.endpoint().active == 1);
  request.text();
  CHECK(bench.endpoint().active == 0);
  CHECK(bench.endpoint().failures == 0);
}

TEST_CASE("forward: an exchange given up before the answer closes the connection and frees the place") {
  ForwardBench bench;
  auto request = std::make_unique<Request>(bench);
  request->start();
  Peer peer = bench.accept();
  bench.receive(peer);
  request->task.reset();
  request.reset();
  bench.settle();
  CHECK(bench.ends(peer));
  CHECK(bench.endpoint().active == 0);
  CHECK(bench.endpoint().connections == 0);
  CHECK(bench.endpoint().failures == 0);
}

TEST_CASE("forward: a response given up in the middle closes the connection and frees the place") {
  ForwardBench bench;
  auto request = std::make_unique<Request>(bench);
  request->start();
  Peer peer = bench.accept();
  bench.receive(peer);
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhello");
  CHECK(request->status() == 200);
  request.reset();
  bench.settle();
  CHECK(bench.ends(peer));
  CHECK(bench.endpoint().active == 0);
}

TEST_CASE("forward: a failure that was answered counts, though nobody reads its body") {
  ForwardBench bench;
  Request request(bench);
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  peer.send("HTTP/1.1 503 Busy\r\nContent-Length: 1000\r\n\r\nhello");
  CHECK(request.status() == 503);
  request.exchange.response.body.reset();
  CHECK(request.attempt().outcome == Outcome::answered);
}

TEST_CASE("forward: the time until an answer is the least of the upstream's and what the exchange has left for it") {
  ForwardBench bench;
  Request request(bench);
  request.exchange.answer_by = bench.loop.now() + 300ms;
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  bench.advance(200ms);
  CHECK_FALSE(request.task.is_done());
  bench.advance(150ms);
  CHECK(request.failure() == ErrorCode::response_timeout);
  CHECK(request.attempt().outcome == Outcome::timed_out);
}

TEST_CASE("forward: once its head is there, a response may take longer than the answer") {
  ForwardBench bench;
  Request request(bench);
  request.exchange.answer_by = bench.loop.now() + 300ms;
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
  CHECK(request.status() == 200);
  bench.advance(1s);
  peer.send("llo");
  CHECK(request.text() == "hello");
}

TEST_CASE("forward: given up while it connects or waits for a place, it leaves nothing behind") {
  ForwardBench bench;
  auto request = std::make_unique<Request>(bench);
  request->start();
  request.reset();
  bench.settle();
  CHECK(bench.endpoint().active == 0);
  CHECK(bench.endpoint().connections == 0);
}

TEST_CASE("forward: a request that died on a reused connection goes once more, on a fresh one") {
  ForwardBench bench;
  Peer old = warm(bench);
  Request request(bench);
  request.start();
  die_under(bench, old);
  Peer fresh = bench.accept();
  CHECK(bench.receive(fresh).starts_with("GET /a"));
  fresh.send(kHello);
  CHECK(request.text() == "hello");
  CHECK(request.exchange.attempts.size() == 1);
  CHECK_FALSE(request.attempt().reused);
  CHECK(request.exchange.record.has(Flag::LR));
  CHECK(bench.endpoint().active == 0);
  CHECK(bench.endpoint().failures == 0);
}

TEST_CASE("forward: not a third time") {
  ForwardBench bench;
  Peer old = warm(bench);
  Request request(bench);
  request.start();
  die_under(bench, old);
  Peer fresh = bench.accept();
  die_under(bench, fresh);
  CHECK(request.failure() == ErrorCode::incomplete_response);
  CHECK_FALSE(bench.backend.accept().has_value());
  CHECK(bench.endpoint().active == 0);
  CHECK(bench.endpoint().failures == 1);
}

TEST_CASE("forward: a POST isn't sent twice") {
  ForwardBench bench;
  Peer old = warm(bench);
  Request request(bench, http::Method::post);
  request.body("pay").start();
  bench.receive(old, "pay");
  old.close();
  CHECK(request.failure() == ErrorCode::incomplete_response);
  CHECK_FALSE(bench.backend.accept().has_value());
}

TEST_CASE("forward: nor a body that can't be had again") {
  ForwardBench bench;
  Peer old = warm(bench);
  Request request(bench, http::Method::put);
  auto& upload = upload_of(request);
  request.start();
  upload.come(Chunk{Slice::literal("piece")});
  bench.receive(old, "piece\r\n");
  old.close();
  CHECK(request.failure() == ErrorCode::incomplete_response);
  CHECK_FALSE(bench.backend.accept().has_value());
}

TEST_CASE("forward: nor once a byte of an answer has come") {
  ForwardBench bench;
  Peer old = warm(bench);
  Request request(bench);
  request.start();
  bench.receive(old);
  old.send("HTTP/1.1 2");
  bench.settle();
  old.close();
  CHECK(request.failure() == ErrorCode::incomplete_response);
  CHECK_FALSE(bench.backend.accept().has_value());
}

TEST_CASE("forward: nor when the upstream doesn't want it") {
  ForwardBench bench({.retry_reused = false});
  Peer old = warm(bench);
  Request request(bench);
  request.start();
  die_under(bench, old);
  CHECK(request.failure() == ErrorCode::incomplete_response);
}

TEST_CASE("forward: nor when a fresh connection broke") {
  ForwardBench bench;
  Request request(bench);
  request.start();
  Peer peer = bench.accept();
  die_under(bench, peer);
  CHECK(request.failure() == ErrorCode::incomplete_response);
  CHECK_FALSE(bench.backend.accept().has_value());
}

TEST_CASE("forward: an early answer is passed on while the body is still being sent, and the connection isn't reused") {
  ForwardBench bench;
  Request request(bench, http::Method::post);
  auto& upload = upload_of(request);
  request.start();
  upload.come(Chunk{Slice::literal("piece")});
  Peer peer = bench.accept();
  bench.receive(peer, "piece\r\n");
  peer.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  CHECK(request.status() == 403);
  CHECK(request.text() == "no");
  CHECK(bench.ends(peer));
  CHECK(bench.endpoint().active == 0);
}

TEST_CASE("forward: an upload goes on after an early answer, whose connection isn't reused") {
  ForwardBench bench;
  Request request(bench, http::Method::post);
  auto& upload = upload_of(request);
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
  CHECK(request.status() == 200);
  upload.come(Chunk{Slice::literal("piece")});
  bench.receive(peer, "piece\r\n");
  upload.come(Chunk::end());
  bench.receive(peer, "0\r\n\r\n");
  peer.send("k");
  CHECK(request.text() == "ok");
  CHECK(bench.ends(peer));
}

TEST_CASE("forward: nobody at the address is connect_refused, a failure of the endpoint") {
  ForwardBench bench;
  Request request(bench);
  bench.backend.close();
  request.start();
  CHECK(request.failure() == ErrorCode::connect_refused);
  CHECK(request.exchange.failure->retry == RetrySafe::yes);
  CHECK(request.attempt().outcome == Outcome::refused);
  CHECK(bench.endpoint().failures == 1);
  CHECK(bench.endpoint().active == 0);
}

TEST_CASE("forward: an endpoint that doesn't answer a connect is connect_timeout after timeouts.connect") {
  ForwardBench bench({.timeouts = {.connect = 3s}});
  bench.backend.fill_queue();
  Request request(bench);
  request.start();
  bench.advance(2900ms);
  CHECK_FALSE(request.task.is_done());
  bench.advance(200ms);
  CHECK(request.failure() == ErrorCode::connect_timeout);
  CHECK(request.attempt().outcome == Outcome::timed_out);
  CHECK(bench.endpoint().failures == 1);
  CHECK(bench.endpoint().active == 0);
  CHECK(bench.endpoint().connections == 0);
}

TEST_CASE("forward: what is left to a client bounds a connect, too, and is no failure of the endpoint") {
  ForwardBench bench({.timeouts = {.connect = 10s}});
  bench.backend.fill_queue();
  Request request(bench);
  request.exchange.deadline = bench.loop.now() + 1s;
  request.start();
  bench.advance(1100ms);
  CHECK(request.failure() == ErrorCode::connect_timeout);
  CHECK(request.attempt().outcome == Outcome::abandoned);
  CHECK(bench.endpoint().failures == 0);
}

TEST_CASE("forward: an endpoint that doesn't answer in time is response_timeout, and the connection closes") {
  ForwardBench bench({.timeouts = {.response = 5s}});
  Request request(bench);
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  bench.advance(4s);
  CHECK_FALSE(request.task.is_done());
  bench.advance(2s);
  CHECK(request.failure() == ErrorCode::response_timeout);
  CHECK(request.attempt().outcome == Outcome::timed_out);
  CHECK(bench.ends(peer));
}

TEST_CASE("forward: an endpoint that stops in the middle is read_timeout") {
  ForwardBench bench({.timeouts = {.between_bytes = 5s}});
  Request request(bench);
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
  CHECK(request.status() == 200);
  auto whole = request.exchange.response.body->whole(100);
  whole.start();
  bench.settle();
  bench.advance(4s);
  CHECK_FALSE(whole.is_done());
  bench.advance(2s);
  REQUIRE(whole.is_done());
  CHECK(whole.take().error().code == ErrorCode::read_timeout);
  CHECK(bench.endpoint().failures == 1);
  CHECK(bench.endpoint().active == 0);
}

TEST_CASE("forward: the exchange's own deadline is total_timeout") {
  ForwardBench bench;
  Request request(bench);
  request.exchange.deadline = bench.loop.now() + 3s;
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  bench.advance(4s);
  CHECK(request.failure() == ErrorCode::total_timeout);
}

TEST_CASE("forward: a deadline that is shorter than the configuration's says nothing about the endpoint") {
  Route route;
  route.timeout = 10s;
  for (const auto deadline : {1s, 8s, 10s}) {
    CAPTURE(deadline.count());
    ForwardBench bench({.timeouts = {.response = 60s}});
    Request request(bench);
    request.exchange.route = &route;
    request.exchange.deadline = bench.loop.now() + deadline;
    request.start();
    Peer peer = bench.accept();
    bench.receive(peer);
    bench.advance(deadline);
    CHECK(request.failure() == ErrorCode::total_timeout);
    CHECK(bench.endpoint().failures == (deadline == 10s ? 1 : 0));
  }
}

TEST_CASE("forward: an endpoint that talks no HTTP is protocol_error") {
  for (const auto* garbage :
       {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"}) {
    ForwardBench bench;
    Request request(bench);
    request.start();
    Peer peer = bench.accept();
    bench.receive(peer);
    peer.send(garbage);
    CHECK(request.failure() == ErrorCode::protocol_error);
    CHECK(request.attempt().outcome == Outcome::broken);
    CHECK(bench.ends(peer));
  }
}

TEST_CASE("forward: a body cut short is an error of the response's body, after what came") {
  ForwardBench bench;
  Request request(bench);
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
  CHECK(request.status() == 200);
  peer.close();
  CHECK(request.read().error().code == ErrorCode::incomplete_response);
  CHECK(bench.endpoint().active == 0);
  CHECK(bench.endpoint().failures == 1);
}

TEST_CASE("forward: a reset in the middle frees the place") {
  ForwardBench bench;
  Request request(bench);
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
  CHECK(request.status() == 200);
  peer.reset();
  CHECK_FALSE(request.read().has_value());
  CHECK(bench.endpoint().active == 0);
}

TEST_CASE("forward: a client slow to read holds the endpoint back") {
  ForwardBench bench;
  Request request(bench);
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
  CHECK(request.status() == 200);
  const size_t before = bench.buffers.in_use();
  const std::string piece(16 * 1024, 'x');
  for (int i = 0; i < 20; ++i) {
    peer.send(piece);
    bench.settle();
  }
  CHECK(bench.buffers.in_use() <= before + 5);  // some 64 KiB, whatever the backend sends
}

TEST_CASE("forward: hop-by-hop fields of the answer stay behind") {
  ForwardBench bench;
  Request request(bench);
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  peer.send(
      "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nConnection: X-Mine\r\nX-Mine: 1\r\nX-Other: 1\r\nContent-Length: "
      "0\r\n\r\n");
  CHECK(request.status() == 200);
  const auto& headers = request.exchange.response.head.headers;
  CHECK_FALSE(headers.get("keep-alive").has_value());
  CHECK_FALSE(headers.get("x-mine").has_value());
  CHECK(headers.get("x-other") == "1");
}

TEST_CASE("forward: an upstream that isn't there is no_endpoint") {
  ForwardBench bench;
  Request request(bench);
  request.exchange.destination.upstream = "nowhere";
  request.start();
  CHECK(request.failure() == ErrorCode::no_endpoint);
}

TEST_CASE("forward: a PROXY header tells the client, and its connection serves no other") {
  ForwardBench bench({.proxy_protocol = net::ProxyVersion::v1});
  for (int i = 0; i < 2; ++i) {
    Request request(bench);
    request.exchange.client.peer = *net::Address::parse("203.0.113.7:4711");
    request.exchange.client.ip = "203.0.113.7";
    request.start();
    Peer peer = bench.accept();
    // Where it connected to isn't known without a client's connection.
    CHECK(bench.receive(peer).starts_with("PROXY UNKNOWN\r\nGET /a HTTP/1.1\r\n"));
    peer.send(kHello);
    CHECK(request.text() == "hello");
    CHECK_FALSE(request.attempt().reused);
  }
}

}  // namespace weir::upstream
