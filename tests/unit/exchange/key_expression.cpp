#include "exchange/key_expression.h"

#include <doctest/doctest.h>

#include "config/loader.h"
#include "unit/exchange_bench.h"

using namespace weir;

namespace {

struct Settings {
  KeyExpression key;
};
void decode(config::Reader& r, Settings& out) { r.optional("key", out.key, "what to count by"); }

struct Bench : ExchangeBench {
  Bench() {
    auto& request = exchange.request;
    request.method_name = "GET";
    request.authority = "API.example.com.:8080";
    request.path = "/v1/users/42";
    request.query = "user=a%20b&empty=";
    request.headers.add("X-User", "ann");
    request.headers.add("cookie", "a=1; sid=s3");
    exchange.client.ip = "10.0.0.1";
    exchange.facts.set("jwt.sub", "alice");
  }
  std::string value(std::string_view text) {
    const auto key = KeyExpression::parse(text);
    REQUIRE_MESSAGE(key, key.error());
    return std::string(key->evaluate(exchange));
  }
  std::string joined(std::string_view one, std::string_view other) {
    return std::string(
        KeyExpression::join({*KeyExpression::parse(one), *KeyExpression::parse(other)}).evaluate(exchange));
  }
};

std::string wrong(std::string_view text) { return KeyExpression::parse(text).error(); }

}  // namespace

TEST_CASE("key expression: how the client came by TLS; nothing when it came in the clear") {
  Bench bench;
  CHECK(bench.value("tls.sni") == "");
  const ClientTls tls{.version = "TLSv1.3", .server_name = "a.example", .subject = "CN=ann", .fingerprint = "00ff"};
  bench.exchange.client.tls = &tls;
  CHECK(bench.value("tls.sni") == "a.example");
  CHECK(bench.value("tls.version") == "TLSv1.3");
  CHECK(bench.value("tls.client.subject") == "CN=ann");
  CHECK(bench.value("tls.client.fingerprint") == "00ff");
  CHECK(KeyExpression::parse("tls.client.subject")->text() == "tls.client.subject");
  CHECK_FALSE(KeyExpression::parse("tls.colour").has_value());
}

TEST_CASE("key expression: what a PROXY header told") {
  Bench bench;
  CHECK(bench.value("proxy.authority") == "");
  bench.exchange.facts.set("proxy.authority", "a.example");
  CHECK(bench.value("proxy.authority") == "a.example");
  CHECK(KeyExpression::parse("proxy.unique_id")->text() == "proxy.unique_id");
  CHECK_FALSE(KeyExpression::parse("proxy.colour").has_value());
}

TEST_CASE("key expression: each source gives its part of the request") {
  Bench bench;
  CHECK(bench.value("client.ip") == "10.0.0.1");
  CHECK(bench.value("method") == "GET");
  CHECK(bench.value("path") == "/v1/users/42");
  CHECK(bench.value("header.x-user") == "ann");
  CHECK(bench.value("cookie.sid") == "s3");
  CHECK(bench.value("query.user") == "a b");
  CHECK(bench.value("jwt.sub") == "alice");
}

TEST_CASE("key expression: one host has one value, however it is written") {
  CHECK(Bench().value("host") == "api.example.com");
}

TEST_CASE("key expression: path[0] is the first segment") {
  Bench bench;
  CHECK(bench.value("path[0]") == "v1");
  CHECK(bench.value("path[2]") == "42");
  CHECK(bench.value("path[3]") == "");
}

TEST_CASE("key expression: a path is told in the form that routes match, so that no spelling of it is another key") {
  Bench bench;
  bench.exchange.request.path = "//v1%2Fusers";
  bench.exchange.request.decoded_path = "/v1/users";
  CHECK(bench.value("path") == "/v1/users");
  CHECK(bench.value("path[0]") == "v1");
  CHECK(bench.value("path[1]") == "users");
}

TEST_CASE("key expression: what the request lacks is empty") {
  Bench bench;
  CHECK(bench.value("header.x-other") == "");
  CHECK(bench.value("cookie.other") == "");
  CHECK(bench.value("query.other") == "");
  CHECK(bench.value("jwt.other") == "");
}

TEST_CASE("key expression: a list joins its values, and is empty when one of them is") {
  Bench bench;
  CHECK(bench.joined("client.ip", "method") == "10.0.0.1|GET");
  CHECK(bench.joined("client.ip", "query.empty") == "");
}

TEST_CASE("key expression: no two lists of values make the same text") {
  Bench one, other;
  one.exchange.request.query = "a=x|y&b=z";
  other.exchange.request.query = "a=x&b=y|z";
  CHECK(one.joined("query.a", "query.b") != other.joined("query.a", "query.b"));
  one.exchange.request.query = "a=x\\&b=y";
  other.exchange.request.query = "a=x&b=\\y";
  CHECK(one.joined("query.a", "query.b") != other.joined("query.a", "query.b"));
}

TEST_CASE("key expression: an encoded list tells each part's kind, its value and whether it is there") {
  const auto encoded = [](std::string_view query) {
    Bench bench;
    bench.exchange.request.query = query;
    return std::string(KeyExpression::join({*KeyExpression::parse("query.a"), *KeyExpression::parse("query.b")})
                           .encode(bench.exchange)
                           .text);
  };
  CHECK(encoded("a=1&b=2") == "query.a=1|query.b=2");
  CHECK(encoded("a=1") == "query.a=1|query.b");
  CHECK(encoded("b=1") == "query.a|query.b=1");
  CHECK(encoded("a=1&b=") == "query.a=1|query.b=");
  CHECK(encoded("") == "query.a|query.b");
  CHECK(encoded("a=1|query.b%3D2") == "query.a=1\\|query.b=2|query.b");
  CHECK(encoded("a=x|y&b=z") != encoded("a=x&b=y|z"));
  CHECK(encoded("a=x\\&b=y") != encoded("a=x&b=\\y"));
}

TEST_CASE("key expression: an encoded name has one form, whatever a person writes into it") {
  Bench bench;
  const auto encoded = [&](std::string_view text) {
    return std::string(KeyExpression::parse(text)->encode(bench.exchange).text);
  };
  CHECK(encoded("header.X-User") == "header.x-user=ann");
  bench.exchange.request.query = "a=1";
  CHECK(encoded("query.a=1|b") == "query.a\\=1\\|b");
}

TEST_CASE("key expression: a list of which a part is missing is hashed by the others, one of which all are isn't") {
  Bench bench;
  const auto hashed = [&](std::string_view one, std::string_view other) {
    return std::string(
        KeyExpression::join({*KeyExpression::parse(one), *KeyExpression::parse(other)}).hashed(bench.exchange));
  };
  CHECK(hashed("header.x-user", "query.none") == "header.x-user=ann|query.none");
  CHECK(hashed("query.nothing", "query.none") == "");
  CHECK(std::string(KeyExpression::parse("header.x-user")->hashed(bench.exchange)) == "ann");
}

TEST_CASE("key expression: an unknown word is told with the nearest that there is") {
  CHECK(
      wrong("client_ip").starts_with("'client_ip' is not known; did you mean 'client.ip'? write one of: client.ip, "));
  CHECK(wrong("").starts_with("'' is not known"));
  CHECK(wrong("path[x]") == "path[N] takes a number from 0 (the first segment) to 99");
  CHECK(wrong("path[100]") == wrong("path[x]"));
  CHECK(wrong("path[1") == wrong("path[x]"));
}

TEST_CASE("key expression: names are what the protocol allows") {
  CHECK(wrong("header.a b") == "'a b' is not a name; write header.x-user");
  CHECK(wrong("cookie.") == "'' is not a name; write cookie.id");
  CHECK(wrong("query") == "'' is not a name; write query.id");
  CHECK(wrong("jwt.") == "'' is not a name; write jwt.sub");
}

TEST_CASE("key expression: its text is what was written") {
  CHECK(KeyExpression::parse("header.X-User")->text() == "header.X-User");
  CHECK(KeyExpression::join({*KeyExpression::parse("client.ip"), *KeyExpression::parse("path[2]")}).text() ==
        "[client.ip, path[2]]");
}

TEST_CASE("key expression: in a file it is a word or a list") {
  config::Problems problems;
  const auto read = [&](std::string yaml) {
    return config::decode_document<Settings>(config::load_text("weir.yaml", std::move(yaml), problems), problems)
        .key.text();
  };
  CHECK(read("key: client.ip") == "client.ip");
  CHECK(read("key: [client.ip, path]") == "[client.ip, path]");
  CHECK(problems.empty());
}

TEST_CASE("key expression: a wrong member of a list is told where it stands") {
  config::Problems problems;
  config::decode_document<Settings>(config::load_text("weir.yaml", "key: [client.ip, pth]", problems), problems);
  REQUIRE(problems.size() == 1);
  CHECK(problems.all().front().message == "'pth' is not a key");
  CHECK(problems.all().front().at.column == 18);
}
