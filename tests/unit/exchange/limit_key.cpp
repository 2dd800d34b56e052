#include "exchange/limit_key.h"

#include "exchange/client_networks.h"
#include "unit/exchange_bench.h"

using namespace weir;

namespace {

struct Bench : ExchangeBench {
  std::string of(std::string_view expression, std::string_view client = "10.0.0.1") {
    exchange.client.ip = client;
    return std::string(LimitKey(KeyExpression::parse(expression).value()).of(exchange));
  }
  bool contains(std::string_view network, std::string_view client) {
    exchange.client.ip = client;
    ClientNetworks networks;
    REQUIRE(networks.add(network));
    return networks.contain(exchange.client);
  }
};

}  // namespace

TEST_CASE("limit key: an IPv6 client counts as its /64, others as themselves") {
  Bench bench;
  CHECK(bench.of("client.ip", "192.0.2.7") == "192.0.2.7");
  CHECK(bench.of("client.ip", "2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::/64");
  CHECK(bench.of("client.ip", "::1") == "::/64");
  CHECK(bench.of("client.ip", "::ffff:192.0.2.7") == "::ffff:192.0.2.7");
  CHECK(bench.of("client.ip", "unix:") == "unix:");
}

TEST_CASE("limit key: a request without a value counts by its client") {
  Bench bench;
  CHECK(bench.of("header.x-user") == "-|10.0.0.1");
  CHECK(bench.of("header.x-user", "2001:db8::1") == "-|2001:db8::/64");
}

TEST_CASE("limit key: long values are cut, and stay different") {
  Bench bench;
  const std::string one(3000, 'a');
  const std::string other = one + "b";
  bench.exchange.request.headers.add("x-one", one);
  bench.exchange.request.headers.add("x-other", other);
  const auto key = bench.of("header.x-one");
  CHECK(key.size() == LimitKey::kLongest);
  CHECK(key == bench.of("header.x-one"));
  CHECK(key != bench.of("header.x-other"));
}

TEST_CASE("client networks: a client is asked for by its own address, whatever stands before it") {
  Bench bench;
  CHECK(bench.contains("10.0.0.0/8", "10.1.2.3"));
  CHECK_FALSE(bench.contains("10.0.0.0/8", "11.1.2.3"));
  CHECK(bench.contains("2001:db8::/32", "2001:db8::1"));
  CHECK_FALSE(ClientNetworks().add("10.0.0.0/33"));
}
