#include <doctest/doctest.h>

#include "unit/routing/bench.h"

using namespace weir;
using namespace weir::routing;

namespace {

/// Does one route with this `match` take GET of `target`?
bool takes(const std::string& match, std::string_view target) {
  return Bench("routes: [{ name: it, match: " + match + ", upstream: api }]").route("GET", target) == "it";
}

}  // namespace

TEST_CASE("route: without conditions it takes everything") {
  const Bench bench("routes: [{ upstream: api }]");
  CHECK(bench.route("GET", "http://a.example/x") == "route-1");
  CHECK(bench.route("OPTIONS", "*") == "route-1");
  CHECK(bench.route("CONNECT", "a.example:443") == "route-1");
}

TEST_CASE("route: the first that matches wins, whatever kind of condition it has") {
  const Bench bench(R"(
routes:
  - { name: regex, match: { host: a.example, path: { regex: "/x.*" } }, upstream: api }
  - { name: prefix, match: { path: /x }, upstream: api }
  - { name: exact, match: { host: a.example, path: { exact: /y } }, upstream: api }
  - { name: rest, upstream: api }
)");
  CHECK(bench.route("GET", "http://a.example/x") == "regex");
  CHECK(bench.route("GET", "http://b.example/x") == "prefix");
  CHECK(bench.route("GET", "http://a.example/y") == "exact");
  CHECK(bench.route("GET", "http://b.example/y") == "rest");
}

TEST_CASE("route: nothing matches, nothing is found") {
  const Bench bench("routes: [{ match: { host: a.example }, upstream: api }]");
  CHECK(bench.route("GET", "http://b.example/") == "none");
}

TEST_CASE("match.host: case and a trailing dot play no part") {
  CHECK(takes("{ host: API.example.com }", "http://api.EXAMPLE.com/"));
  CHECK(takes("{ host: api.example.com }", "http://api.example.com./"));
  CHECK(takes("{ host: api.example.com. }", "http://api.example.com/"));
}

TEST_CASE("match.host: a wildcard stands for one label or more, not for none") {
  CHECK(takes("{ host: '*.example.com' }", "http://a.example.com/"));
  CHECK(takes("{ host: '*.example.com' }", "http://a.b.example.com/"));
  CHECK_FALSE(takes("{ host: '*.example.com' }", "http://example.com/"));
  CHECK_FALSE(takes("{ host: '*.example.com' }", "http://aexample.com/"));
}

TEST_CASE("match.host: a regular expression matches the whole name, without case") {
  CHECK(takes("{ host: { regex: 'shop-[0-9]+\\.example' } }", "http://SHOP-12.example:8080/"));
  CHECK_FALSE(takes("{ host: { regex: 'shop-[0-9]+' } }", "http://shop-12.example/"));
}

TEST_CASE("match.host: with a port it takes that port only, without any") {
  CHECK(takes("{ host: 'a.example' }", "http://a.example:8080/"));
  CHECK(takes("{ host: 'a.example:8080' }", "http://a.example:8080/"));
  CHECK_FALSE(takes("{ host: 'a.example:8080' }", "http://a.example:8081/"));
}

TEST_CASE("match.host: a request that tells no port has its scheme's") {
  CHECK(takes("{ host: 'a.example:80' }", "http://a.example/"));
  CHECK(takes("{ host: 'a.example:443' }", "https://a.example/"));
  CHECK_FALSE(takes("{ host: 'a.example:443' }", "http://a.example/"));
}

TEST_CASE("match.host: of a list any will do") {
  CHECK(takes("{ host: [a.example, '*.b.example'] }", "http://x.b.example/"));
  CHECK_FALSE(takes("{ host: [a.example, '*.b.example'] }", "http://c.example/"));
}

TEST_CASE("match.host: an IPv6 address is a host") { CHECK(takes("{ host: '[::1]' }", "http://[::1]:8080/")); }

TEST_CASE("match.path: a prefix ends where a segment ends, with and without its slash") {
  for (const auto* match : {"{ path: /v1 }", "{ path: /v1/ }"}) {
    CHECK(takes(match, "http://a.example/v1"));
    CHECK(takes(match, "http://a.example/v1/"));
    CHECK(takes(match, "http://a.example/v1/x"));
    CHECK_FALSE(takes(match, "http://a.example/v10"));
    CHECK_FALSE(takes(match, "http://a.example/"));
  }
}

TEST_CASE("match.path: an exact path has nothing below it") {
  CHECK(takes("{ path: { exact: /v1 } }", "http://a.example/v1?q"));
  CHECK_FALSE(takes("{ path: { exact: /v1 } }", "http://a.example/v1/"));
}

TEST_CASE("match.path: a regular expression matches the whole path, with case") {
  CHECK(takes("{ path: { regex: '/u/[0-9]+' } }", "http://a.example/u/42"));
  CHECK_FALSE(takes("{ path: { regex: '/u/[0-9]+' } }", "http://a.example/u/42/x"));
  CHECK_FALSE(takes("{ path: { regex: '/u/[0-9]+' } }", "http://a.example/U/42"));
}

TEST_CASE("match.methods: one of them") {
  const Bench bench("routes: [{ name: it, match: { methods: [GET, PURGE] }, upstream: api }]");
  CHECK(bench.route("GET", "http://a.example/") == "it");
  CHECK(bench.route("PURGE", "http://a.example/") == "it");
  CHECK(bench.route("POST", "http://a.example/") == "none");
}

TEST_CASE("match.headers: all conditions hold, each by any line of its name") {
  const Bench bench(
      "routes: [{ name: it, match: { headers: { x-tenant: acme, x-n: { regex: '[0-9]+' }, x-off: { present: false } } "
      "},"
      " upstream: api }]");
  Request good(bench.worker, "GET", "http://a.example/");
  good.header("X-Tenant", "other").header("x-tenant", "acme").header("x-n", "12");
  CHECK(bench.route(good.exchange) == "it");
  CHECK(bench.route(good.header("X-Off", "").exchange) == "none");
  Request poor(bench.worker, "GET", "http://a.example/");
  CHECK(bench.route(poor.header("x-tenant", "acme").header("x-n", "12a").exchange) == "none");
}

TEST_CASE("match.query: parameters are compared as they were meant") {
  CHECK(takes("{ query: { name: 'a b' } }", "http://a.example/?x=1&name=a%20b"));
  CHECK(takes("{ query: { debug: { present: true } } }", "http://a.example/?debug"));
  CHECK_FALSE(takes("{ query: { debug: { present: true } } }", "http://a.example/?debugger=1"));
  CHECK(takes("{ query: { debug: { present: false } } }", "http://a.example/"));
}

TEST_CASE("match.listener: the one that the request came by") {
  Bench bench("routes: [{ name: it, match: { listener: main }, upstream: api }]");
  Request request(bench.worker, "GET", "http://a.example/");
  CHECK(bench.route(request.exchange) == "it");
  request.exchange.client.listener = "other";
  CHECK(bench.route(request.exchange) == "none");
}

TEST_CASE("route: upstream becomes the destination") {
  const Bench bench("routes: [{ upstream: files }]");
  const auto router = bench.router();
  Request request(bench.worker, "GET", "http://a.example/");
  router.find(request.exchange);
  CHECK(request.exchange.destination.upstream == "files");
}

TEST_CASE("explain: says of each route before the match why it isn't the one") {
  const Bench bench(R"(
routes:
  - { name: api, match: { host: [api.example.com, '*.api.example'] }, upstream: api }
  - { name: v1, match: { path: /v1 }, upstream: api }
  - { name: post, match: { methods: POST }, upstream: api }
  - { name: tenant, match: { headers: { x-tenant: acme } }, upstream: api }
  - { name: debug, match: { query: { debug: "1" } }, upstream: api }
  - { name: rest, upstream: api }
)");
  const auto router = bench.router();
  Request request(bench.worker, "GET", "http://example.com/v2?debug=0");
  const auto told = router.explain(request.exchange);
  REQUIRE(told.size() == 6);
  CHECK(told[0].why == "host: wants api.example.com, *.api.example, got example.com");
  CHECK(told[1].why == "path: wants prefix /v1, got /v2");
  CHECK(told[2].why == "method: wants POST, got GET");
  CHECK(told[3].why == "header x-tenant: wants 'acme', got none");
  CHECK(told[4].why == "query debug: wants '1', got 0");
  CHECK(told[5].matched);
  CHECK(told[5].route->name == "rest");
}
