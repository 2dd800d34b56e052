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
  CHECK(bench.of("client.ip", "192.0.2.7") == "client.ip=192.0.2.7");
  CHECK(bench.of("client.ip", "2001:db8:1:2:3:4:5:6") == "client.ip=2001:db8:1:2::/64");
  CHECK(bench.of("client.ip", "::1") == "client.ip=::/64");
  CHECK(bench.of("client.ip", "::ffff:192.0.2.7") == "client.ip=::ffff:192.0.2.7");
  CHECK(bench.of("client.ip", "unix:") == "client.ip=unix:");
}

TEST_CASE("limit key: a request without a value counts by its client") {
  Bench bench;
  CHECK(bench.of("header.x-user") == "header.x-user|client=10.0.0.1");
  CHECK(bench.of("header.x-user", "2001:db8::1") == "header.x-user|client=2001:db8::/64");
}

TEST_CASE("limit key: an empty value is none") {
  for (const std::string key : {"header.x-user", "cookie.user", "query.user"}) {
    CAPTURE(key);
    Bench bench;
    bench.exchange.request.headers.add("x-user", "");
    bench.exchange.request.headers.add("cookie", "user=");
    bench.exchange.request.query = "user=";
    CHECK(bench.of(key) == Bench().of(key));
  }
  const auto list = KeyExpression::join({*KeyExpression::parse("header.x-user"), *KeyExpression::parse("client.ip")});
  Bench empty, without;
  empty.exchange.request.headers.add("x-user", "");
  CHECK(LimitKey(list).of(empty.exchange) == LimitKey(list).of(without.exchange));
}

TEST_CASE("limit key: no value that a client sends is the key of a client without a value") {
  const std::string keyless = Bench().of("header.x-user", "203.0.113.7");
  for (const std::string_view forged : {"-|203.0.113.7", "|client=203.0.113.7", "203.0.113.7", "client=203.0.113.7"}) {
    CAPTURE(forged);
    Bench bench;
    bench.exchange.request.headers.add("x-user", forged);
    CHECK(bench.of("header.x-user") != keyless);
    CHECK(bench.of("header.x-user") != bench.of("client.ip", "203.0.113.7"));  // limits of one name may have both keys
  }
  CHECK(Bench().of("header.x-user", "203.0.113.7") != Bench().of("cookie.x-user", "203.0.113.7"));
}

TEST_CASE("limit key: parts of a list count apart, and a client without one of them counts by itself, too") {
  const auto of = [](std::string_view user, std::string_view tenant, std::string_view client) {
    Bench bench;
    bench.exchange.client.ip = client;
    if (!user.empty()) bench.exchange.request.headers.add("x-user", user);
    if (!tenant.empty()) bench.exchange.request.headers.add("x-tenant", tenant);
    return std::string(LimitKey(KeyExpression::join(
                                    {*KeyExpression::parse("header.x-user"), *KeyExpression::parse("header.x-tenant")}))
                           .of(bench.exchange));
  };
  CHECK(of("ann", "acme", "10.0.0.1") == of("ann", "acme", "10.0.0.2"));
  CHECK(of("ann", "", "10.0.0.1") != of("bob", "", "10.0.0.1"));
  CHECK(of("", "acme", "10.0.0.1") != of("acme", "", "10.0.0.1"));
  CHECK(of("", "acme", "10.0.0.1") != of("", "acme", "10.0.0.2"));
}

TEST_CASE("limit key: a key of the length at which keys are cut is no other's cut key") {
  Bench bench;
  const std::string whole(3000, 'a');
  bench.exchange.request.headers.add("x-user", whole);
  const auto cut = bench.of("header.x-user");
  Bench other;
  const auto forged = cut.substr(std::string("#header.x-user=").size());
  other.exchange.request.headers.add("x-user", forged);
  CHECK(other.of("header.x-user").size() <= LimitKey::kLongest);
  CHECK(other.of("header.x-user") != cut);
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
