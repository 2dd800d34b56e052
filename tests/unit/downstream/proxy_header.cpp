#include <doctest/doctest.h>

#include "unit/downstream/bench.h"

// A listener whose connections begin with a PROXY header.

namespace weir::downstream {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kHeader = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n";
constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

struct ProxyBench : Bench {
  ProxyBench() {
    settings.trusted.push_back(*net::Network::parse("10.0.0.0/8"));
    gateway.expect_proxy_header(&settings);
    origin->script = [](Exchange& exchange) -> Task<> {
      const auto& client = exchange.client;
      exchange.respond(
          200, "text/plain",
          exchange.arena().copy(client.peer.text() + " " + std::string(client.ip) + " " +
                                std::to_string(client.local_port) + " " + exchange.local_address().text()));
      co_return;
    };
  }
  ProxyProtocol settings;
};

}  // namespace

TEST_CASE("PROXY header: its source is the client, its destination the address asked") {
  ProxyBench bench;
  auto client = bench.connect();
  const auto answer = bench.ask(client, std::string(kHeader) + std::string(kGet));
  CHECK(body_of(answer) == "203.0.113.7:4711 203.0.113.7 443 192.0.2.1:443");
  CHECK(status_of(bench.get(client)) == 200);
  CHECK(bench.observer.headers_refused == 0);
}

TEST_CASE("PROXY header: may come in pieces, the last one with a request behind it") {
  for (const size_t size : {1, 2, 3, 7, 31}) {
    ProxyBench bench;
    auto client = bench.connect();
    const auto bytes = std::string(kHeader) + std::string(kGet);
    std::string answer;
    for (size_t at = 0; at < bytes.size(); at += size) answer += bench.ask(client, bytes.substr(at, size));
    CHECK(status_of(answer) == 200);
  }
}

TEST_CASE("PROXY header: UNKNOWN leaves the socket's own address") {
  ProxyBench bench;
  auto client = bench.connect("10.0.0.1");
  CHECK(body_of(bench.ask(client, "PROXY UNKNOWN\r\n" + std::string(kGet))).starts_with("10.0.0.1:4711 10.0.0.1 8080"));
}

TEST_CASE("PROXY header: a stranger is cut off, whatever it sends") {
  ProxyBench bench;
  auto stranger = bench.connect("192.0.2.9");
  bench.settle();
  CHECK(stranger.has_ended());
  CHECK(bench.observer.headers_refused == 1);
  CHECK(bench.observer.connections == 0);
}

TEST_CASE("PROXY header: a connection without one is closed without a word") {
  ProxyBench bench;
  auto client = bench.connect();
  CHECK(bench.ask(client, kGet).empty());
  CHECK(client.has_ended());
  CHECK(bench.observer.headers_refused == 1);
  CHECK(bench.origin->requests == 0);
}

TEST_CASE("PROXY header: one that takes too long is given up") {
  ProxyBench bench;
  auto client = bench.connect();
  bench.ask(client, "PROXY ");
  bench.advance(2900ms);
  CHECK(bench.gateway.size() == 1);
  bench.advance(200ms);
  CHECK(client.has_ended());
  CHECK(bench.gateway.size() == 0);
  CHECK(bench.observer.headers_refused == 1);
}

TEST_CASE("PROXY header: limits count the client that it tells") {
  ProxyBench bench;
  bench.policy.limits.connections_per_client = 1;
  auto first = bench.connect();
  auto second = bench.connect();
  auto other = bench.connect();
  CHECK(status_of(bench.ask(first, std::string(kHeader) + std::string(kGet))) == 200);
  CHECK(status_of(bench.ask(second, std::string(kHeader) + std::string(kGet))) == 429);
  CHECK(status_of(bench.ask(other, "PROXY TCP4 203.0.113.8 192.0.2.1 1 443\r\n" + std::string(kGet))) == 200);
}

TEST_CASE("PROXY header: those that wait for one take no place of others, and when they are many the oldest goes") {
  ProxyBench bench;
  bench.policy.limits.connections = 32;
  auto oldest = bench.connect();
  auto second = bench.connect();
  bench.settle();
  CHECK_FALSE(oldest.has_ended());
  CHECK(bench.gateway.arriving() == 2);
  auto third = bench.connect();
  bench.settle();
  CHECK(oldest.has_ended());
  CHECK_FALSE(second.has_ended());
  CHECK(bench.observer.headers_refused == 1);
  CHECK(status_of(bench.ask(third, std::string(kHeader) + std::string(kGet))) == 200);
  CHECK(bench.gateway.arriving() == 1);
  CHECK(bench.clients.all() == 1);
  bench.advance(3100ms);
  CHECK(second.has_ended());
  CHECK(bench.gateway.arriving() == 0);
}

TEST_CASE("PROXY header: of many that come at once, a sixteenth of the limit is left waiting") {
  ProxyBench bench;
  bench.policy.limits.connections = 80;
  std::vector<Peer> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(bench.connect());
  bench.settle();
  CHECK(bench.gateway.arriving() == 5);
  CHECK(bench.gateway.size() == 5);
  CHECK_FALSE(clients.back().has_ended());
  CHECK(clients.front().has_ended());
}

TEST_CASE("PROXY header: a gateway takes those that wait for one with it") {
  Peer waiting = [] {
    ProxyBench bench;
    auto client = bench.connect();
    bench.ask(client, "PROXY ");
    return client;
  }();
  CHECK(waiting.has_ended());
}

}  // namespace weir::downstream
