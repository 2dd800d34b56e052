#include "downstream/forwarded.h"

#include <doctest/doctest.h>

#include "unit/exchange_bench.h"

namespace weir::downstream {
namespace {

using Style = Forwarding::Style;

struct Bench : ExchangeBench {
  explicit Bench(std::string_view peer = "203.0.113.7", std::vector<std::string> trusted = {}) {
    for (const auto& network : trusted) forwarding.trusted_proxies.push_back(*net::Network::parse(network));
    exchange.client.peer = *net::Address::parse_ip(peer, 4711);
    exchange.client.ip = peer;
    exchange.client.local_port = 8080;
    exchange.request.authority = "example.com";
  }
  Bench& header(std::string_view name, std::string_view value) {
    exchange.request.headers.add(name, value);
    return *this;
  }
  Result<> prepare() { return prepare_forwarding(exchange, forwarding); }
  std::string field(std::string_view name) {
    REQUIRE(prepare().has_value());
    return request_field(name);
  }

  Forwarding forwarding;
};

}  // namespace

TEST_CASE("forwarding: the upstream is told address, scheme, host and port") {
  Bench bench;
  CHECK(bench.field("x-forwarded-for") == "203.0.113.7");
  CHECK(bench.request_field("x-forwarded-proto") == "http");
  CHECK(bench.request_field("x-forwarded-host") == "example.com");
  CHECK(bench.request_field("x-forwarded-port") == "8080");
  CHECK(bench.exchange.client.ip == "203.0.113.7");
  CHECK_FALSE(bench.exchange.client.is_trusted);
}

TEST_CASE("forwarding: what a stranger says of itself is overwritten, each line of it") {
  Bench bench;
  bench.header("X-Forwarded-For", "127.0.0.1").header("X-Forwarded-For", "10.0.0.1");
  bench.header("X-Forwarded-Proto", "https").header("X-Forwarded-Host", "evil").header("Forwarded", "for=127.0.0.1");
  CHECK(bench.field("x-forwarded-for") == "203.0.113.7");
  CHECK(bench.request_field("x-forwarded-proto") == "http");
  CHECK(bench.request_field("x-forwarded-host") == "example.com");
  CHECK(bench.request_field("forwarded") == "(none)");
  CHECK(bench.exchange.client.ip == "203.0.113.7");
}

TEST_CASE("forwarding: a list of 31 KiB takes at most 16 times its size") {
  Bench bench("10.0.0.2", {"10.0.0.0/8"});
  bench.forwarding.style = Style::rfc7239;
  std::string list = "for=203.0.113.7";
  while (list.size() < 31 * 1024) list += ",for=10.0.0.1;proto=https;host=a";
  bench.header("Forwarded", list);
  REQUIRE(bench.prepare().has_value());
  CHECK(bench.exchange.client.ip == "203.0.113.7");
  CHECK(bench.exchange.client.url_told.starts_with("\f,https,https"));
  CHECK(bench.arena.footprint() <= 16 * list.size());
}

TEST_CASE("forwarding: a list of 31 KiB in 31 lines takes at most 16 times its size") {
  Bench bench("10.0.0.2", {"10.0.0.0/8"});
  bench.forwarding.style = Style::rfc7239;
  std::string line = "for=10.0.0.1;proto=https;host=a";
  while (line.size() < 1024) line += ",for=10.0.0.1;proto=https;host=a;x=\"";  // read in more ways than one
  for (int i = 0; i < 31; ++i) bench.header("Forwarded", line);
  REQUIRE(bench.prepare().has_value());
  CHECK(bench.arena.footprint() <= 16 * 31 * line.size());
}

TEST_CASE("forwarding: what a trusted proxy says is believed and extended") {
  Bench bench("10.0.0.2", {"10.0.0.0/8"});
  bench.header("X-Forwarded-For", "203.0.113.7")
      .header("X-Forwarded-Proto", "https")
      .header("X-Forwarded-Host", "shop");
  CHECK(bench.field("x-forwarded-for") == "203.0.113.7, 10.0.0.2");
  CHECK(bench.request_field("x-forwarded-proto") == "https");
  CHECK(bench.request_field("x-forwarded-host") == "shop");
  CHECK(bench.exchange.client.is_trusted);
}

TEST_CASE("forwarding: the client is the right-most address that isn't a trusted proxy's") {
  const auto client = [](std::string_view list) {
    Bench bench("10.0.0.2", {"10.0.0.0/8"});
    if (!list.empty()) bench.header("X-Forwarded-For", list);
    REQUIRE(bench.prepare().has_value());
    return std::string(bench.exchange.client.ip);
  };
  CHECK(client("198.51.100.1, 203.0.113.7, 10.0.0.9") == "203.0.113.7");
  CHECK(client("203.0.113.7") == "203.0.113.7");
  CHECK(client("10.0.0.8, 10.0.0.9") == "10.0.0.8");
  CHECK(client("203.0.113.7, nonsense, 10.0.0.9") == "10.0.0.9");
  CHECK(client("2001:db8::1") == "2001:db8::1");
  CHECK(client("") == "10.0.0.2");
}

TEST_CASE("forwarding: an address counts as such with a port, in brackets, and behind empty members") {
  const auto client = [](std::string_view list, Style style = Style::x_forwarded) {
    Bench bench("10.0.0.2", {"10.0.0.0/8"});
    bench.forwarding.style = style;
    bench.header(style == Style::rfc7239 ? "Forwarded" : "X-Forwarded-For", list);
    REQUIRE(bench.prepare().has_value());
    return std::string(bench.exchange.client.ip);
  };
  CHECK(client("2.2.2.2:1234") == "2.2.2.2");
  CHECK(client("2.2.2.2:1234, 10.0.0.9:80") == "2.2.2.2");
  CHECK(client("[2001:db8::1]:443") == "2001:db8::1");
  CHECK(client("[2001:db8::1]") == "2001:db8::1");
  CHECK(client("2001:DB8:0::1") == "2001:db8::1");
  CHECK(client("::ffff:2.2.2.2") == "2.2.2.2");
  CHECK(client("2.2.2.2, ::ffff:10.0.0.9") == "2.2.2.2");
  CHECK(client("2.2.2.2, ") == "2.2.2.2");
  CHECK(client("2.2.2.2,,\t, 10.0.0.9,") == "2.2.2.2");
  CHECK(client("2.2.2.2, 3.3.3.3:x") == "10.0.0.2");
  CHECK(client("for=2.2.2.2:1234", Style::rfc7239) == "2.2.2.2");
  CHECK(client("for=\"[2001:db8::1]:443\"", Style::rfc7239) == "2001:db8::1");
  CHECK(client("for=\"[::ffff:2.2.2.2]\"", Style::rfc7239) == "2.2.2.2");
}

TEST_CASE("forwarding: a trusted proxy may tell the client in a field of its own, and nobody else") {
  const auto client = [](std::string_view peer, std::initializer_list<std::string_view> values) {
    Bench bench(peer, {"10.0.0.0/8"});
    bench.forwarding.client_field = "CF-Connecting-IP";
    bench.header("X-Forwarded-For", "3.3.3.3");
    for (const auto value : values) bench.header("Cf-Connecting-Ip", value);
    REQUIRE(bench.prepare().has_value());
    return std::string(bench.exchange.client.ip) + " " + bench.request_field("cf-connecting-ip");
  };
  CHECK(client("10.0.0.2", {"2.2.2.2"}) == "2.2.2.2 2.2.2.2");
  CHECK(client("10.0.0.2", {"2001:DB8::1"}) == "2001:db8::1 2001:DB8::1");
  CHECK(client("10.0.0.2", {}) == "3.3.3.3 (none)");
  CHECK(client("10.0.0.2", {"nonsense"}) == "3.3.3.3 nonsense");
  CHECK(client("10.0.0.2", {"2.2.2.2", "4.4.4.4"}).starts_with("3.3.3.3 "));
  CHECK(client("203.0.113.7", {"2.2.2.2"}) == "203.0.113.7 (none)");
}

TEST_CASE("forwarding: no quoted value of a Forwarded field names a client") {
  const auto client = [](std::string_view list) {
    Bench bench("10.0.0.2", {"10.0.0.0/8"});
    bench.forwarding.style = Style::rfc7239;
    bench.header("Forwarded", list);
    REQUIRE(bench.prepare().has_value());
    return std::string(bench.exchange.client.ip);
  };
  CHECK(client(R"(for=1.1.1.1;proto=http;host="x,for=6.6.6.6;y=")") == "1.1.1.1");
  CHECK(client(R"(for=1.1.1.1;host="x,for=6.6.6.6;y=", for=10.0.0.9;host="x,for=7.7.7.7;y=")") == "1.1.1.1");
  CHECK(client(R"(x="a;for=6.6.6.6;y";for=1.1.1.1)") == "1.1.1.1");
  CHECK(client(R"(host="a\",for=6.6.6.6;y=\"b";for=1.1.1.1)") == "1.1.1.1");
  CHECK(client(R"(host="a\\";for=1.1.1.1)") == "1.1.1.1");
  CHECK(client(R"(for=1.1.1.1;by="10.0.0.9, for=6.6.6.6")") == "1.1.1.1");
}

TEST_CASE("forwarding: nothing left of odd quotes in a Forwarded field counts") {
  const auto client = [](std::string_view list) {
    Bench bench("10.0.0.2", {"10.0.0.0/8"});
    bench.forwarding.style = Style::rfc7239;
    bench.header("Forwarded", list);
    REQUIRE(bench.prepare().has_value());
    return std::string(bench.exchange.client.ip);
  };
  for (const auto* odd :
       {R"(for=6.6.6.6;x=")", R"(for=6.6.6.6, x="a)", R"(for=6.6.6.6;x="a\")", R"(for=6.6.6.6;x=a"b")",
        R"(for=6.6.6.6, "a")", R"(for=6.6.6.6, x=""")", R"(for=6.6.6.6, x\"=a)", "for=6.6.6.6, for=1.1.1.1;for=2.2.2.2",
        "for=6.6.6.6, a b=c", "for=6.6.6.6, nothing"}) {
    CAPTURE(odd);
    CHECK(client(odd) == "10.0.0.2");
    CHECK(client(odd + std::string(", for=1.1.1.1;host=\"a\"")) == "1.1.1.1");
    CHECK(client(odd + std::string(", for=10.0.0.9;host=\"a\"")) == "10.0.0.9");
  }
  CHECK(client(R"(for="9.9.9.9\"")") == "10.0.0.2");
}

TEST_CASE("forwarding: of a Forwarded field only what Weir believes is passed on") {
  const auto forwarded = [](std::string_view list) {
    Bench bench("10.0.0.2", {"10.0.0.0/8"});
    bench.forwarding.style = Style::rfc7239;
    bench.exchange.request.authority = "";
    bench.header("Forwarded", list);
    return bench.field("forwarded");
  };
  CHECK(forwarded(R"(for="_a,b", for=1.1.1.1)") == R"(for="_a,b", for=1.1.1.1, for=10.0.0.2;proto=http)");
  CHECK(forwarded(R"(for=6.6.6.6;x="a, for=1.1.1.1)") == "for=1.1.1.1, for=10.0.0.2;proto=http");
  CHECK(forwarded(R"(x=")") == "for=10.0.0.2;proto=http");
}

TEST_CASE("forwarding: a host that a reader of Forwarded may take for something else is not told in it") {
  const auto forwarded = [](std::string_view host) {
    Bench bench;
    bench.forwarding.style = Style::rfc7239;
    bench.exchange.request.authority = host;
    return bench.field("forwarded");
  };
  for (const auto* odd : {"x,for=6.6.6.6;y=", "a;b", "a=b", "a'b", "a%2cb", "a*"})
    CHECK(forwarded(odd) == "for=203.0.113.7;proto=http");
  for (const std::string plain : {"A-b_c.example:8080", "[2001:db8::1]:80"})
    CHECK(forwarded(plain) == "for=203.0.113.7;proto=http;host=\"" + plain + "\"");
}

TEST_CASE("forwarding: RFC 7239 instead, when asked for") {
  Bench bench;
  bench.forwarding.style = Style::rfc7239;
  bench.header("X-Forwarded-For", "127.0.0.1").header("Forwarded", "for=127.0.0.1");
  CHECK(bench.field("forwarded") == "for=203.0.113.7;proto=http;host=\"example.com\"");
  CHECK(bench.request_field("x-forwarded-for") == "(none)");
}

TEST_CASE("forwarding: RFC 7239 quotes IPv6 and extends a trusted proxy's list") {
  Bench bench("2001:db8::7", {"2001:db8::/32"});
  bench.forwarding.style = Style::rfc7239;
  bench.header("Forwarded", "for=192.0.2.1");
  CHECK(bench.field("forwarded") == "for=192.0.2.1, for=\"[2001:db8::7]\";proto=http;host=\"example.com\"");
}

TEST_CASE("forwarding: X-Forwarded-For has IPv6 addresses bare") {
  Bench bench("2001:db8::7");
  CHECK(bench.field("x-forwarded-for") == "2001:db8::7");
}

TEST_CASE("forwarding: the scheme of the URL is a trusted proxy's word, and nobody else's") {
  const auto scheme = [](std::string_view proto, std::string_view peer = "10.0.0.2") {
    Bench bench(peer, {"10.0.0.0/8"});
    if (!proto.empty()) bench.header("X-Forwarded-Proto", proto);
    REQUIRE(bench.prepare().has_value());
    return std::string(bench.exchange.client.scheme());
  };
  CHECK(scheme("https") == "https");
  CHECK(scheme("HTTPS, http") == "https");
  CHECK(scheme("http") == "http");
  CHECK(scheme("") == "http");
  CHECK(scheme("ftp") == "http");
  CHECK(scheme("https", "203.0.113.7") == "http");
  Bench by_tls;
  by_tls.exchange.client.is_encrypted = true;
  REQUIRE(by_tls.prepare().has_value());
  CHECK(by_tls.exchange.client.scheme() == "https");
}

TEST_CASE("forwarding: by Forwarded, too") {
  const auto scheme = [](std::string_view forwarded) {
    Bench bench("10.0.0.2", {"10.0.0.0/8"});
    bench.forwarding.style = Style::rfc7239;
    bench.header("Forwarded", forwarded).header("X-Forwarded-Proto", "http");
    REQUIRE(bench.prepare().has_value());
    return std::string(bench.exchange.client.scheme());
  };
  CHECK(scheme("for=192.0.2.1;proto=https") == "https");
  CHECK(scheme("for=192.0.2.1; Proto = \"https\", for=10.0.0.3;proto=http") == "https");
  CHECK(scheme("for=192.0.2.1") == "http");
  CHECK(scheme("proto=\"") == "http");
}

TEST_CASE("forwarding: what a trusted proxy tells of the URL is noted where the URL doesn't say so itself") {
  const auto told = [](std::string_view name, std::string_view value, std::string_view peer = "10.0.0.2") {
    Bench bench(peer, {"10.0.0.0/8"});
    bench.header(name, value);
    REQUIRE(bench.prepare().has_value());
    return std::string(bench.exchange.client.url_told);
  };
  CHECK(told("X-Forwarded-Host", "EXAMPLE.com").empty());
  CHECK(told("X-Forwarded-Port", "80").empty());
  CHECK(told("X-Forwarded-Proto", "https").empty());
  CHECK(told("X-Forwarded-Host", "other") == "\nother\n\n");
  CHECK(told("X-Forwarded-Host", "example.com, other") == "\nexample.com, other\n\n");
  CHECK(told("X-Forwarded-Port", "443") == "\n\n443\n");
  CHECK(told("X-Forwarded-Proto", "https, http") == "https, http\n\n\n");
  CHECK(told("X-Forwarded-Host", "other", "203.0.113.7").empty());
  CHECK(told("Forwarded", "host=other").empty());  // it isn't passed on

  Bench both("10.0.0.2", {"10.0.0.0/8"});
  both.forwarding.style = Style::none;
  both.header("Forwarded", "host=other").header("X-Forwarded-Port", "1");
  REQUIRE(both.prepare().has_value());
  CHECK(both.exchange.client.url_told == "\n\n1\n\f\nother\n\n");
}

TEST_CASE("forwarding: a Forwarded that two readers may read in two ways is noted as it is (RFC 7239 section 4)") {
  const auto told = [](std::string_view forwarded) {
    Bench bench("10.0.0.2", {"10.0.0.0/8"});
    bench.forwarding.style = Style::none;
    bench.header("Forwarded", forwarded);
    REQUIRE(bench.prepare().has_value());
    return std::string(bench.exchange.client.url_told);
  };
  for (const auto* clear : {"host=example.com", "for=192.0.2.1;host=example.com;proto=http", "for=\"[2001:db8::1]:80\"",
                            "host=\"example.com\";secret=y", "HOST=example.com"}) {
    CHECK(told(clear).empty());
  }
  for (const std::string odd :
       {"xhost=evil;host=example.com", "host=example.com;host=evil", "x=\";host=example.com;\";host=evil",
        "host=example.com;x=\"a,host=evil\"", "host=\"ex\\ample.com\"", "host=example.com;x=host=evil",
        "host = example.com", "example.com"}) {
    CHECK(told(odd).ends_with("\f\f" + odd + "\n"));
  }
}

TEST_CASE("forwarding: with style none a stranger's fields go all the same, and none are added") {
  Bench bench;
  bench.forwarding.style = Style::none;
  bench.header("X-Forwarded-For", "127.0.0.1");
  CHECK(bench.field("x-forwarded-for") == "(none)");
  CHECK(bench.request_field("x-forwarded-proto") == "(none)");
}

TEST_CASE("forwarding: with style none a stranger's Forwarded goes as well") {
  Bench bench;
  bench.forwarding.style = Style::none;
  bench.header("Forwarded", "for=127.0.0.1");
  CHECK(bench.field("forwarded") == "(none)");
}

TEST_CASE("forwarding: without a Host there is no X-Forwarded-Host") {
  Bench bench;
  bench.exchange.request.authority = "";
  CHECK(bench.field("x-forwarded-host") == "(none)");
}

TEST_CASE("forwarding: a peer on a unix socket has no address to tell") {
  Bench bench;
  bench.exchange.client.peer = net::Address::unix_path("/run/x.sock");
  bench.exchange.client.ip = "unix:";
  CHECK(bench.field("x-forwarded-for") == "(none)");
  CHECK(bench.request_field("x-forwarded-proto") == "http");
}

TEST_CASE("forwarding: a stranger on a unix socket can't name an address or a port either") {
  Bench bench;
  bench.exchange.client.peer = net::Address::unix_path("/run/x.sock");
  bench.exchange.client.ip = "unix:";
  bench.exchange.client.local_port = 0;
  bench.header("X-Forwarded-For", "127.0.0.1").header("X-Forwarded-Port", "443");
  CHECK(bench.field("x-forwarded-for") == "(none)");
  CHECK(bench.request_field("x-forwarded-port") == "(none)");
}

TEST_CASE("forwarding: with RFC 7239 the client is looked for in Forwarded, and nowhere else") {
  const auto client = [](std::string_view forwarded) {
    Bench bench("10.0.0.2", {"10.0.0.0/8"});
    bench.forwarding.style = Style::rfc7239;
    bench.header("X-Forwarded-For", "192.0.2.66").header("Forwarded", forwarded);
    REQUIRE(bench.prepare().has_value());
    return std::string(bench.exchange.client.ip);
  };
  CHECK(client("for=203.0.113.7;proto=https, for=10.0.0.9") == "203.0.113.7");
  CHECK(client("proto=http;For=\"203.0.113.7:4711\"") == "203.0.113.7");
  CHECK(client("for=\"[2001:db8::7]:4711\"") == "2001:db8::7");
  CHECK(client("for=unknown") == "10.0.0.2");
  CHECK(client("for=203.0.113.7, , for=10.0.0.9") == "203.0.113.7");
  for (const std::string_view silent :
       {"proto=https", "by=10.0.0.2;proto=https", "for=\"\"", "for=", "xfor=10.0.0.9"}) {
    CAPTURE(silent);
    CHECK(client("for=203.0.113.7, " + std::string(silent)) == "10.0.0.2");
  }
}

TEST_CASE("forwarding: hop-by-hop fields and those that Connection names go") {
  Bench bench;
  bench.header("Connection", "X-Mine").header("X-Mine", "1").header("Keep-Alive", "1").header("X-Other", "1");
  CHECK(bench.field("x-mine") == "(none)");
  CHECK(bench.request_field("keep-alive") == "(none)");
  CHECK(bench.request_field("x-other") == "1");
}

TEST_CASE("forwarding: Via is not sent unless it has a name, and another's is left alone") {
  CHECK(Bench().field("via") == "(none)");
  Bench behind;
  behind.header("Via", "1.1 cdn");
  CHECK(behind.field("via") == "1.1 cdn");
}

TEST_CASE("forwarding: CDN-Loop is begun, or extended") {
  CHECK(Bench().field("cdn-loop") == "weir");
  Bench second;
  second.header("CDN-Loop", "cdn; id=1").header("CDN-Loop", "other.example:81");
  CHECK(second.field("cdn-loop") == "cdn; id=1, other.example:81, weir");
}

TEST_CASE("forwarding: our own name in CDN-Loop is a loop, wherever and however it is written") {
  for (const auto* loop : {"weir", "cdn, WEIR", "weir; a=b, cdn", "cdn;x=\"1\" , weir ;y"}) {
    Bench bench;
    bench.header("CDN-Loop", loop);
    const auto result = bench.prepare();
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == ErrorCode::loop_detected);
  }
  for (const auto* loop : {"weird", "cdn; weir", "cdn;by=weir", "weir.example"}) {
    Bench bench;
    bench.header("CDN-Loop", loop);
    CHECK(bench.prepare().has_value());
  }
}

TEST_CASE("forwarding: X-Real-IP is the client's address, whatever was sent") {
  Bench stranger;
  stranger.header("X-Real-IP", "127.0.0.1").header("x-real-ip", "10.0.0.1");
  CHECK(stranger.field("x-real-ip") == "203.0.113.7");
  Bench behind("10.0.0.2", {"10.0.0.0/8"});
  behind.header("X-Forwarded-For", "203.0.113.9").header("X-Real-IP", "10.0.0.5");
  CHECK(behind.field("x-real-ip") == "203.0.113.9");
}

TEST_CASE("forwarding: with another style a stranger's X-Real-IP goes, and none is sent") {
  for (const auto style : {Style::rfc7239, Style::none}) {
    Bench bench;
    bench.forwarding.style = style;
    bench.header("X-Real-IP", "127.0.0.1");
    CHECK(bench.field("x-real-ip") == "(none)");
  }
}

TEST_CASE("forwarding: what a stranger says of its identity goes, unless it is to be passed") {
  const std::vector<std::string> names{"Remote-User", "X-Forwarded-User", "X-Forwarded-Prefix", "X-Original-URL",
                                       "Proxy"};
  const auto passed = [&](Bench& bench) {
    for (const auto& name : names) bench.header(name, "lie");
    bench.header("X-Other", "kept");
    REQUIRE(bench.prepare().has_value());
    CHECK(bench.request_field("x-other") == "kept");
    std::vector<std::string> left;
    for (const auto& name : names) {
      if (bench.request_field(name) != "(none)") left.push_back(name);
    }
    return left;
  };
  Bench stranger;
  CHECK(passed(stranger).empty());
  Bench trusted("10.0.0.2", {"10.0.0.0/8"});
  CHECK(passed(trusted) == names);
  Bench some;
  some.forwarding.withheld &= ~http::set_of(http::Field::x_forwarded_prefix);
  CHECK(passed(some) == std::vector<std::string>{"X-Forwarded-Prefix"});
}

TEST_CASE("forwarding: Via is begun, or extended") {
  Bench fresh;
  fresh.forwarding.via = "weir";
  CHECK(fresh.field("via") == "1.1 weir");
  Bench second;
  second.forwarding.via = "weir";
  second.exchange.request.version = http::Version::http10;
  second.header("Via", "1.1 cdn").header("Via", "1.0 old");
  CHECK(second.field("via") == "1.1 cdn, 1.0 old, 1.0 weir");
}

TEST_CASE("forwarding: our own name in Via is a loop, wherever and however it is written") {
  for (const auto* via : {"1.1 weir", "1.1 cdn, 1.0 WEIR", "1.1 weir (comment), 1.1 cdn"}) {
    Bench bench;
    bench.forwarding.via = "weir";
    bench.header("Via", via);
    const auto result = bench.prepare();
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == ErrorCode::loop_detected);
  }
  for (const auto* via : {"1.1 weird", "weir 1.1", "1.1 cdn (weir)"}) {
    Bench bench;
    bench.forwarding.via = "weir";
    bench.header("Via", via);
    CHECK(bench.prepare().has_value());
  }
}

TEST_CASE("forwarding: only the certificate that we verified is told to the upstream") {
  Bench bench;
  bench.header("Client-Cert", ":lie:").header("client-cert-chain", ":lie:");
  SUBCASE("there is none") { CHECK(bench.field("client-cert") == "(none)"); }
  SUBCASE("there is one") {
    const ClientTls tls{.version = "TLSv1.3", .certificate = "TUlJ"};
    bench.exchange.client.tls = &tls;
    CHECK(bench.field("client-cert") == ":TUlJ:");
  }
  CHECK(bench.request_field("client-cert-chain") == "(none)");
}

}  // namespace weir::downstream
