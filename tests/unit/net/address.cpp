#include "net/address.h"

#include <doctest/doctest.h>

namespace weir::net {

TEST_CASE("address: what was parsed is written the same") {
  for (const char* text :
       {"127.0.0.1:80", "0.0.0.0:0", "[::1]:8080", "[fd00::1:2]:65535", "unix:/run/x.sock", "unix:@abstract"}) {
    CAPTURE(text);
    const auto address = Address::parse(text);
    REQUIRE(address.has_value());
    CHECK(address->text() == text);
  }
}

TEST_CASE("address: names and half addresses are none") {
  for (const char* text :
       {"", "localhost:80", "127.0.0.1", ":80", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80", "[::1]",
        "[127.0.0.1]:80", "[::1:80", "1.2.3:80", "1.2.3.4.5:80", "unix:", "unix:@", "[]:80"}) {
    CAPTURE(text);
    CHECK_FALSE(Address::parse(text).has_value());
  }
  CHECK_FALSE(Address::parse("unix:/" + std::string(200, 'x')).has_value());
}

TEST_CASE("address: a port can be read and changed") {
  const auto address = *Address::parse_ip("::1", 80);
  CHECK(address.port() == 80);
  CHECK(address.with_port(443).text() == "[::1]:443");
  CHECK(address.with_port(443) != address);
  CHECK(Address::unix_path("/a").port() == 0);
}

TEST_CASE("address: an IP is told without its port") {
  char buffer[46];
  CHECK(Address::parse("10.1.2.3:80")->ip(buffer) == "10.1.2.3");
  CHECK(Address::parse("[2001:db8::1]:80")->ip(buffer) == "2001:db8::1");
  CHECK(Address::parse("unix:/x")->ip(buffer) == "unix:");
}

TEST_CASE("address: an IPv4 address in IPv6 clothes is the IPv4 address") {
  CHECK(Address::parse("[::ffff:10.1.1.1]:80") == Address::parse("10.1.1.1:80"));
  CHECK(Address::parse_ip("::ffff:10.1.1.1", 80)->text() == "10.1.1.1:80");
  CHECK(Address::parse_ip("::ffff:10.1.1.1", 80)->family() == AF_INET);
  CHECK(Address::parse_ip("::ffff:0:10.1.1.1", 80)->family() == AF_INET6);
  sockaddr_in6 accepted{.sin6_family = AF_INET6, .sin6_port = htons(80)};
  accepted.sin6_addr.s6_addr[10] = accepted.sin6_addr.s6_addr[11] = 0xff;
  accepted.sin6_addr.s6_addr[12] = 10;
  CHECK(Address(reinterpret_cast<const sockaddr*>(&accepted), sizeof accepted).text() == "10.0.0.0:80");
}

TEST_CASE("address: as proxies write it, with brackets and a port or without") {
  const auto ip = [](std::string_view text) {
    char buffer[46];
    const auto address = Address::parse_node(text);
    return address ? std::string(address->ip(buffer)) + ":" + std::to_string(address->port()) : "none";
  };
  CHECK(ip("2.2.2.2") == "2.2.2.2:0");
  CHECK(ip("2.2.2.2:1234") == "2.2.2.2:0");
  CHECK(ip("2001:db8::1") == "2001:db8::1:0");
  CHECK(ip("[2001:DB8::1]") == "2001:db8::1:0");
  CHECK(ip("[2001:db8::1]:443") == "2001:db8::1:0");
  CHECK(ip("[::ffff:2.2.2.2]:443") == "2.2.2.2:0");
  for (const char* text : {"", "unknown", "2.2.2.2:", "2.2.2.2:99999", "2.2.2.2:x", "[2.2.2.2]", "[2.2.2.2]:80", "[::1",
                           "[::1]:", "[]", "[", "unix:", "unix:/a", "2.2.2.2, 3.3.3.3"}) {
    CAPTURE(text);
    CHECK(ip(text) == "none");
  }
}

TEST_CASE("network: contains what its prefix says") {
  const auto has = [](const char* network, const char* ip) {
    return Network::parse(network)->contains(*Address::parse_ip(ip, 1));
  };
  CHECK(has("10.0.0.0/8", "10.255.0.1"));
  CHECK_FALSE(has("10.0.0.0/8", "11.0.0.1"));
  CHECK(has("192.168.1.128/25", "192.168.1.200"));
  CHECK_FALSE(has("192.168.1.128/25", "192.168.1.100"));
  CHECK(has("0.0.0.0/0", "8.8.8.8"));
  CHECK_FALSE(has("0.0.0.0/0", "::1"));
  CHECK(has("127.0.0.1", "127.0.0.1"));
  CHECK(has("2001:db8::/33", "2001:db8:7fff::1"));
  CHECK_FALSE(has("2001:db8::/33", "2001:db8:8000::1"));
}

TEST_CASE("network: an IPv4 address in IPv6 clothes is an IPv4 address") {
  CHECK(Network::parse("10.0.0.0/8")->contains(*Address::parse_ip("::ffff:10.1.1.1", 1)));
  CHECK(Network::parse("::ffff:10.0.0.0/104")->contains(*Address::parse_ip("10.1.1.1", 1)));
}

TEST_CASE("network: unix stands for every unix peer, and nonsense for nothing") {
  CHECK(Network::parse("unix:")->contains(Address::unix_path("/x")));
  CHECK_FALSE(Network::parse("unix:")->contains(*Address::parse("127.0.0.1:1")));
  for (const char* text : {"", "10.0.0.0/33", "10.0.0/8", "::1/129", "10.0.0.0/", "10.0.0.0/-1", "host/8"}) {
    CAPTURE(text);
    CHECK_FALSE(Network::parse(text).has_value());
  }
}

}  // namespace weir::net
