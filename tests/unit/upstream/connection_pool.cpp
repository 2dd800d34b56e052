#include "upstream/connection_pool.h"

#include <deque>

#include "unit/upstream/backend.h"

namespace weir::upstream {
namespace {

using namespace std::chrono_literals;

}  // namespace

TEST_CASE("connection pool: a connection whose answer was read carries the next request") {
  ForwardBench bench;
  Peer peer = warm(bench);
  Request next(bench);
  next.start();
  bench.receive(peer);
  peer.send(kHello);
  CHECK(next.text() == "hello");
  CHECK(next.attempt().reused);
  CHECK_FALSE(bench.backend.accept().has_value());
  CHECK(bench.endpoint().connections == 1);
}

TEST_CASE("connection pool: the connection that idled least is lent first") {
  ForwardBench bench;
  Request one(bench), two(bench);
  one.start();
  Peer first = bench.accept();
  two.start();
  Peer second = bench.accept();
  bench.receive(first);
  bench.receive(second);
  first.send(kHello);
  one.text();
  second.send(kHello);
  two.text();
  Request next(bench);
  next.start();
  CHECK(bench.receive(second).starts_with("GET /a"));
}

TEST_CASE("connection pool: what a new bound forbids isn't lent, although it idles already") {
  ForwardBench bench;
  Peer old = warm(bench);
  CHECK(bench.pool.take(bench.endpoint(), {.requests = 1}) == nullptr);
  bench.settle();
  CHECK(old.has_ended());
  CHECK(bench.endpoint().connections == 0);
}

TEST_CASE("connection pool: a connection that died idle is not handed out") {
  ForwardBench bench;
  Peer old = warm(bench);
  old.close();
  CHECK(bench.until([&] { return bench.endpoint().connections == 0; }));
  Request next(bench);
  next.start();
  Peer fresh = bench.accept();
  bench.receive(fresh);
  fresh.send(kHello);
  CHECK(next.text() == "hello");
  CHECK_FALSE(next.attempt().reused);
}

TEST_CASE("connection pool: bytes that nobody asked for cost the connection, and answer nobody") {
  ForwardBench bench;
  Peer peer = warm(bench);
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  CHECK(bench.ends(peer));
  Request next(bench);
  next.start();
  Peer fresh = bench.accept();
  bench.receive(fresh);
  fresh.send(kHello);
  CHECK(next.text() == "hello");
}

TEST_CASE("connection pool: bytes that lie on an idle connection are noticed before a request goes over it") {
  ForwardBench bench;
  Peer peer = warm(bench);
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  Request next(bench);
  next.start();  // before the loop has looked at the socket
  Peer fresh = bench.accept();
  bench.receive(fresh);
  fresh.send(kHello);
  CHECK(next.text() == "hello");
  CHECK_FALSE(next.attempt().reused);
  CHECK(bench.ends(peer));
}

TEST_CASE("connection pool: the end of an idle connection is noticed before a request goes over it") {
  ForwardBench bench;
  Peer old = warm(bench);
  SUBCASE("FIN") { old.finish(); }
  SUBCASE("reset") { old.reset(); }
  Request next(bench, http::Method::post);
  next.start();  // before the loop has looked at the socket
  Peer fresh = bench.accept();
  bench.receive(fresh);
  fresh.send(kHello);
  CHECK(next.text() == "hello");
}

TEST_CASE("connection pool: a retry of a request that timed out on a reused connection goes over a new one") {
  ForwardBench bench({.timeouts = {.response = 10s}});
  Request one(bench), two(bench);
  one.start();
  two.start();
  Peer first = bench.accept();
  Peer second = bench.accept();
  for (Peer* peer : {&first, &second}) {
    bench.receive(*peer);
    peer->send(kHello);
  }
  one.text();
  two.text();
  Request request(bench);
  request.start();
  bench.advance(11s);
  CHECK(request.failure() == ErrorCode::response_timeout);
  CHECK(request.attempt().reused);
  request.exchange.failure.reset();
  request.start();
  Peer fresh = bench.accept();
  bench.receive(fresh);
  fresh.send(kHello);
  CHECK(request.text() == "hello");
}

TEST_CASE("connection pool: a connection from before an outage of its endpoint isn't used after it") {
  ForwardBench bench;
  Peer old = warm(bench);
  bench.endpoint().set_health(Health::down, bench.loop.now());
  bench.endpoint().set_health(Health::up, bench.loop.now());
  Request next(bench);
  next.start();
  Peer fresh = bench.accept();
  bench.receive(fresh);
  fresh.send(kHello);
  CHECK(next.text() == "hello");
  CHECK(bench.ends(old));
  bench.settle();
  Request another(bench);
  another.start();
  bench.receive(fresh);
  fresh.send(kHello);
  CHECK(another.text() == "hello");
}

TEST_CASE("connection pool: bytes behind an answer cost the connection too") {
  ForwardBench bench;
  Request request(bench);
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  peer.send(std::string(kHello) + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  CHECK(request.text() == "hello");
  CHECK(bench.ends(peer));
}

TEST_CASE("connection pool: an endpoint that says close is taken at its word") {
  ForwardBench bench;
  Request request(bench);
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  peer.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello");
  CHECK(request.text() == "hello");
  CHECK(bench.ends(peer));
}

TEST_CASE("connection pool: a connection that idles too long is closed") {
  ForwardBench bench({.timeouts = {.idle = 10s}});
  Peer peer = warm(bench);
  bench.advance(9s);
  CHECK_FALSE(peer.has_ended());
  bench.advance(2s);
  CHECK(bench.ends(peer));
  CHECK(bench.endpoint().connections == 0);
}

TEST_CASE("connection pool: keeps no more idle connections than it may") {
  ForwardBench bench({.max_idle = 1});
  Request one(bench), two(bench);
  one.start();
  Peer first = bench.accept();
  two.start();
  Peer second = bench.accept();
  bench.receive(first);
  bench.receive(second);
  first.send(kHello);
  second.send(kHello);
  one.text();
  two.text();
  CHECK(bench.until([&] { return bench.endpoint().connections == 1; }));
}

TEST_CASE("connection pool: a connection carries no more requests than it may") {
  ForwardBench bench({.max_requests_per_connection = 1});
  Peer peer = warm(bench);
  CHECK(bench.ends(peer));
  CHECK(bench.endpoint().connections == 0);
}

TEST_CASE("connection pool: what idles at endpoints that are gone is closed, the rest stays") {
  ForwardBench bench;
  Peer peer = warm(bench);
  bench.pool.keep_only([&](const EndpointState& state) { return &state == &bench.endpoint(); });
  bench.settle();
  CHECK_FALSE(peer.has_ended());
  bench.pool.keep_only([](const EndpointState&) { return false; });
  bench.settle();
  CHECK(bench.ends(peer));
  CHECK(bench.endpoint().connections == 0);
}

TEST_CASE(
    "connection pool: hundreds of connections to an endpoint that is gone close some in each turn, all in the end") {
  constexpr size_t kConnections = 300;
  ForwardBench bench;
  std::deque<Request> requests;
  std::vector<Peer> peers;
  for (size_t i = 0; i < kConnections; ++i) {
    requests.emplace_back(bench).start();
    peers.push_back(bench.accept());
  }
  for (size_t i = 0; i < kConnections; ++i) {
    bench.receive(peers[i]);
    peers[i].send(kHello);
    CHECK(requests[i].text() == "hello");
  }
  REQUIRE(bench.endpoint().connections == kConnections);
  bench.pool.keep_only([](const EndpointState&) { return false; });
  size_t most = 0;
  for (int turn = 0; bench.endpoint().connections > 0; ++turn) {
    REQUIRE(turn < 100);
    const size_t before = bench.endpoint().connections;
    bench.loop.poll();
    most = std::max<size_t>(most, before - bench.endpoint().connections);
  }
  CHECK(most <= 256);  // a poll has up to four ends of a turn
}

TEST_CASE("connection pool: takes lent connections with it as well") {
  ForwardBench bench;
  {
    ConnectionPool other(bench.worker);
    bench.worker.connections = &other;
    Request request(bench);
    request.start();
    Peer peer = bench.accept();
    bench.receive(peer);
    request.task.reset();
    bench.worker.connections = &bench.pool;
  }
  CHECK(bench.endpoint().connections == 0);
}

}  // namespace weir::upstream
