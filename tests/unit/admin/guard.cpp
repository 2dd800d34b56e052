#include "admin/guard.h"

#include "exchange/error_response.h"

#include <doctest/doctest.h>

#include "unit/exchange_bench.h"

namespace weir::admin {
namespace {

using Fields = std::initializer_list<std::pair<std::string_view, std::string_view>>;

struct Bench : ExchangeBench {
  FilterMetrics metrics;
  Guard guard{metrics};

  explicit Bench(Access access = {}) { guard.use(std::make_shared<const Access>(std::move(access))); }

  /// The status of the refusal; 0 = the guard lets the request pass.
  uint16_t ask(std::string_view method, std::string_view authority, Fields fields = {},
               std::string_view path = "/config") {
    auto& request = exchange.request;
    request.method = http::method_of(method);
    request.method_name = method;
    request.path = path;
    request.authority = authority;
    request.headers.clear();
    for (const auto& [name, value] : fields) request.headers.add(name, value);
    exchange.failure.reset();
    exchange.response.head.headers.clear();
    return guard.admits(exchange) ? 0 : exchange.response.head.status;
  }
  int64_t refused(const std::string& reason) {
    return metrics.counter("admin_requests_refused", "", {{"reason", reason}}).value();
  }
};

constexpr std::string_view kHere = "127.0.0.1:9901";

}  // namespace

TEST_CASE("admin guard: IP addresses, localhost and listed names are known hosts, others are refused") {
  Bench bench({.hosts = {"ops.example"}});
  for (const auto* host : {"127.0.0.1", "127.0.0.1:9901", "[::1]:9901", "[::1]", "localhost", "LocalHost:1",
                           "ops.example:9901", "OPS.example"}) {
    CAPTURE(host);
    CHECK(bench.ask("GET", host) == 0);
  }
  for (const auto* host : {"evil.example", "evil.example:9901", "127.0.0.1.evil.example", "localhost.evil.example",
                           "ops.example.evil", "127.1", "0x7f.0.0.1", "[::1].evil.example", "[evil]", ""}) {
    CAPTURE(host);
    CHECK(bench.ask("GET", host) == 403);
  }
  CHECK(bench.refused("host") == 10);
}

TEST_CASE("admin guard: a page of another origin or site is refused, with the reason as JSON") {
  Bench bench;
  for (const auto* origin : {"http://evil.example", "null", "http://127.0.0.1:8000", "http://127.0.0.1",
                             "127.0.0.1:9901", "ftp://127.0.0.1:9901", ""}) {
    CAPTURE(origin);
    CHECK(bench.ask("GET", kHere, {{"origin", origin}}) == 403);
  }
  CHECK(bench.ask("GET", kHere, {{"origin", "http://127.0.0.1:9901"}, {"origin", "http://evil.example"}}) == 403);
  CHECK(bench.refused("origin") == 8);
  for (const auto* site : {"cross-site", "same-site", "", "same-origin, cross-site"})
    CHECK(bench.ask("GET", kHere, {{"sec-fetch-site", site}}) == 403);
  CHECK(bench.refused("site") == 4);
  CHECK(bench.ask("GET", kHere, {{"sec-fetch-site", "same-origin"}, {"origin", "http://127.0.0.1:9901"}}) == 0);
  CHECK(bench.ask("GET", kHere, {{"sec-fetch-site", "none"}}) == 0);

  CHECK(bench.ask("GET", "evil.example", {{"accept", "text/html"}, {"content-type", "application/grpc"}}) == 403);
  render_error(bench.exchange);
  CHECK(bench.exchange.response.head.status == 403);
  CHECK(bench.response_field("content-type") == "application/problem+json");
  CHECK(bench.response_field("cache-control") == "no-store");
}

TEST_CASE("admin guard: what a browser posts has to be JSON, which no foreign page can send unasked") {
  Bench bench;
  CHECK(bench.ask("POST", kHere) == 0);
  CHECK(bench.ask("POST", kHere, {{"content-type", "application/x-www-form-urlencoded"}}) == 0);
  for (const auto& [name, value] : Fields{{"origin", "http://127.0.0.1:9901"},
                                          {"sec-fetch-site", "same-origin"},
                                          {"sec-fetch-mode", "cors"},
                                          {"referer", "http://evil.example/"},
                                          {"cookie", "a=b"},
                                          {"user-agent", "Mozilla/5.0 (X11)"}}) {
    CAPTURE(name);
    CHECK(bench.ask("POST", kHere, {{name, value}}) == 415);
    CHECK(bench.ask("POST", kHere, {{name, value}, {"content-type", "text/plain"}}) == 415);
    CHECK(bench.ask("POST", kHere, {{name, value}, {"content-type", "Application/JSON; charset=utf-8"}}) == 0);
    if (name != "origin") CHECK(bench.ask("GET", kHere, {{name, value}}) == 0);
  }
  CHECK(bench.refused("content_type") == 12);
}

TEST_CASE("admin guard: with a token every request but a probe has to bring it") {
  Bench bench({.token = "s3cret"});
  CHECK(bench.ask("GET", kHere) == 401);
  CHECK(bench.response_field("www-authenticate") == "Bearer realm=\"weir admin\"");
  for (const auto* wrong : {"Bearer s3cre", "Bearer s3cret2", "Bearer ", "s3cret", "Basic s3cret", "Bearer x3cret"})
    CHECK(bench.ask("POST", kHere, {{"authorization", wrong}}) == 401);
  CHECK(bench.ask("GET", kHere, {{"authorization", "Bearer s3cret"}, {"authorization", "Bearer other"}}) == 401);
  CHECK(bench.ask("GET", kHere, {{"authorization", "bearer s3cret"}}) == 0);
  CHECK(bench.ask("POST", kHere, {{"authorization", "Bearer s3cret"}}) == 0);
  CHECK(bench.ask("GET", kHere, {}, "/livez") == 0);
  CHECK(bench.ask("GET", kHere, {}, "/readyz") == 0);
  CHECK(bench.ask("GET", "evil.example", {{"authorization", "Bearer s3cret"}}, "/livez") == 403);
  Guard of_metrics(bench.metrics, Guard::Token::not_asked_for);
  of_metrics.use(std::make_shared<const Access>(Access{.token = "s3cret"}));
  bench.ask("GET", kHere);
  CHECK(of_metrics.admits(bench.exchange));
}

TEST_CASE("admin guard: a read-only API changes nothing") {
  Bench bench({.allows = Access::Allows::reading});
  CHECK(bench.ask("GET", kHere) == 0);
  CHECK(bench.ask("HEAD", kHere) == 0);
  for (const auto* method : {"POST", "DELETE", "PUT", "PURGE"}) CHECK(bench.ask(method, kHere) == 403);
  CHECK(bench.refused("read_only") == 4);
}

}  // namespace weir::admin
