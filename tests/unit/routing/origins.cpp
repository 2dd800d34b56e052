#include <doctest/doctest.h>

#include "unit/routing/bench.h"

using namespace weir;
using namespace weir::routing;

namespace {

/// Stands for the upstreams: keeps what it was sent.
struct Seen : Origin {
  Task<> handle(Exchange& exchange) const override {
    path = exchange.request.path;
    matched_path = exchange.request.matched_path();
    query = exchange.request.has_query ? "?" + std::string(exchange.request.query) : "";
    host = exchange.request.headers.joined("host").value_or("none");
    exchange.respond(200);
    co_return;
  }
  mutable std::string path, matched_path, query, host;
};

/// The only route of a file, and one request through its origin.
struct Trip {
  explicit Trip(const std::string& route, std::string_view target = "http://a.example/v1/x")
      : bench("routes: [{ " + route + " }]"), request(bench.worker, "GET", target) {
    REQUIRE_MESSAGE(bench.problems.empty(), bench.problems.text());
    request.normalize();
    origin = make_origin(bench.routes.front(), seen);
    auto task = origin->handle(request.exchange);
    REQUIRE(task.start());
    task.take();
  }
  uint16_t status() const { return request.exchange.response.head.status; }
  std::string header(std::string_view name) const {
    return std::string(request.exchange.response.head.headers.get(name).value_or("none"));
  }

  Bench bench;
  Request request;
  std::shared_ptr<Seen> seen = std::make_shared<Seen>();
  std::shared_ptr<const Origin> origin;
};

std::string location(const std::string& redirect, std::string_view target) {
  const Trip trip("redirect: " + redirect, target);
  return trip.status() == 400 ? "refused" : trip.header("location");
}

std::string rewritten(const std::string& rewrite, std::string_view path, const std::string& match = "path: /v1") {
  return Trip("match: { " + match + " }, upstream: api, rewrite: " + rewrite, "http://a.example" + std::string(path))
      .seen->path;
}

}  // namespace

TEST_CASE("rewrite.prefix: takes the place of what was matched, segment by segment") {
  CHECK(rewritten("{ prefix: /new }", "/v1/x") == "/new/x");
  CHECK(rewritten("{ prefix: /new }", "/v1") == "/new");
  CHECK(rewritten("{ prefix: /new/ }", "/v1/x") == "/new/x");
  CHECK(rewritten("{ prefix: / }", "/v1/x") == "/x");
  CHECK(rewritten("{ prefix: / }", "/v1") == "/");
  CHECK(rewritten("{ prefix: /new }", "/x", "path: /") == "/new/x");
}

TEST_CASE("rewrite.prefix: an exact path is replaced whole") {
  CHECK(rewritten("{ prefix: /new }", "/v1", "path: { exact: /v1 }") == "/new");
}

TEST_CASE("rewrite.prefix: a path that a filter moved elsewhere stays") {
  CHECK(rewritten("{ prefix: /new }", "/v10/x") == "/v10/x");
}

TEST_CASE("rewrite.prefix: what was matched decoded is replaced, and the rest stays as it is sent") {
  CHECK(rewritten("{ prefix: /new }", "//v1/a%2Fb") == "/new/a%2Fb");
  CHECK(rewritten("{ prefix: /new }", "/%2Fv1") == "/new");
  CHECK(rewritten("{ prefix: / }", "/v1%2Fx%2Fy") == "/x%2Fy");
  CHECK(rewritten("{ prefix: /new }", "/v1/a//b") == "/new/a//b");
}

TEST_CASE("rewrite: no dot segment of the request leads out of the new path") {
  CHECK(rewritten("{ prefix: /new }", "/v1/a%2F..%2F..%2Fv1/b") == "/new/b");
  CHECK(rewritten("{ prefix: /new }", "/x%2F../v1/y") == "/new/y");
  CHECK(rewritten(R"({ regex: '/v1/([^/]*)/(.*)', to: '/new/\1/\2' })", "/v1/a%2F..%2F..%2Fv1/b/c") == "/new/b/c");
}

TEST_CASE("rewrite.regex: groups keep their escapes; a path that only matches decoded is rewritten decoded") {
  CHECK(rewritten(R"({ regex: '/v1/([^/]*)', to: '/new/\1' })", "/v1/a%2Fb") == "/new/a%2Fb");
  CHECK(rewritten(R"({ regex: '/v1/(.*)', to: '/new/\1' })", "/%2Fv1/a%2Fb") == "/new/a/b");
}

TEST_CASE("rewrite: filters see both forms of the path again afterwards; the upstream has the new one alone") {
  const Trip trip("match: { path: /v1 }, upstream: api, rewrite: { prefix: /new }", "http://a.example/%2Fv1/x");
  CHECK(trip.seen->matched_path == "/new/x");
  CHECK(trip.request.exchange.request.path == "/%2Fv1/x");
  CHECK(trip.request.exchange.request.matched_path() == "/v1/x");
}

TEST_CASE("rewrite.regex: groups go where \\1 stands") {
  CHECK(rewritten(R"({ regex: '/v1/([^/]*)/(.*)', to: '/\2/\1' })", "/v1/a/b/c") == "/b/c/a");
  CHECK(rewritten(R"({ regex: '/v1/(x)?y', to: '/z\1' })", "/v1/y") == "/z");
}

TEST_CASE("rewrite.regex: a path that it doesn't match stays") {
  CHECK(rewritten("{ regex: '/v1/x', to: /y }", "/v1/xx") == "/v1/xx");
}

TEST_CASE("rewrite.regex: what is no path isn't sent, and the reason is told") {
  const Trip trip("upstream: api, rewrite: { regex: '/v1/?(.*)', to: '\\1' }");
  REQUIRE(trip.request.exchange.failure);
  CHECK(trip.request.exchange.failure->code == ErrorCode::internal);
  CHECK(trip.request.exchange.failure->detail ==
        "the route's rewrite made 'x' of '/v1/x', which is no path: it begins with '/', without #");
  CHECK(trip.seen->path.empty());
}

TEST_CASE("rewrite.to: a query comes before the request's own") {
  const auto sent = [](const std::string& to, std::string_view target) {
    const Trip trip("upstream: api, rewrite: { regex: '/v1/(.*)', to: '" + to + "' }",
                    "http://a.example" + std::string(target));
    return trip.seen->path + trip.seen->query;
  };
  CHECK(sent(R"(/item?id=\1)", "/v1/7") == "/item?id=7");
  CHECK(sent(R"(/item?id=\1)", "/v1/7?a=b") == "/item?id=7&a=b");
  CHECK(sent(R"(/item?id=\1)", "/v1/7?") == "/item?id=7");
  CHECK(sent(R"(/\1?)", "/v1/7?a=b") == "/7");
  CHECK(sent(R"(/\1)", "/v1/7?a=b") == "/7?a=b");
  CHECK(sent(R"(/item?id=\1)", "/other?a=b") == "/other?a=b");
}

TEST_CASE("rewrite.to: a group in a query adds no parameter") {
  const Trip trip(R"(upstream: api, rewrite: { regex: '/v1/(.*)', to: '/item?id=\1' })",
                  "http://a.example/v1/1&admin=1;x=2+3%26");
  CHECK(trip.seen->query == "?id=1%26admin=1%3Bx=2%2B3%26");
}

TEST_CASE("rewrite.to: filters see the query that was routed, afterwards too") {
  const Trip trip(R"(upstream: api, rewrite: { regex: '/v1/(.*)', to: '/item?id=\1' })", "http://a.example/v1/7?a=b");
  CHECK(trip.request.exchange.request.query == "a=b");
  CHECK(trip.request.exchange.request.path == "/v1/7");
}

TEST_CASE("rewrite.host: the upstream is told another host") {
  const Trip trip("upstream: api, rewrite: { host: internal.example }");
  CHECK(trip.seen->host == "internal.example");
}

TEST_CASE("rewrite: filters see the request that was routed, afterwards too") {
  const Trip trip("upstream: api, rewrite: { prefix: /new, host: internal.example }");
  CHECK(trip.request.exchange.request.path == "/v1/x");
  CHECK(trip.request.exchange.request.authority == "a.example");
  CHECK(trip.request.exchange.request.headers.get("host") == "a.example");
}

TEST_CASE("redirect: https alone keeps host, path and query, and lasts") {
  CHECK(location("https", "http://a.example:8080/x?y=1") == "https://a.example/x?y=1");
  CHECK(Trip("redirect: https").status() == 308);
}

TEST_CASE("redirect: an address with blanks is filled in") {
  CHECK(location("'{scheme}://new.example{path}?from={host}&{query}'", "http://a.example/x?y") ==
        "http://new.example/x?from=a.example&y");
  CHECK(location("'/new{path_and_query}'", "http://a.example/x?") == "/new/x?");
  CHECK(Trip("redirect: { to: /new, status: 301 }").status() == 301);
  CHECK(Trip("redirect: /new").status() == 302);
}

TEST_CASE("redirect: the path stays as it was asked for") {
  CHECK(location("https", "http://a.example/a%2Fb//c") == "https://a.example/a%2Fb//c");
}

TEST_CASE("redirect: a path can't become another host") {
  CHECK(location("'/{path}'", "http://a.example//evil.example/") == "/evil.example/");
}

TEST_CASE("redirect: a host that is none gets no redirect") {
  Trip trip("redirect: https");
  for (const auto* host : {"", "a b", "a\r\nset-cookie: x", "a@evil.example"}) {
    trip.request.exchange.request.authority = host;
    auto task = trip.origin->handle(trip.request.exchange);
    REQUIRE(task.start());
    CHECK(trip.status() == 400);
    CHECK(trip.header("location") == "none");
  }
}

TEST_CASE("respond: status, body, type and fields as configured") {
  const Trip trip("respond: { status: 403, body: '{}', content_type: application/json, headers: { x-a: '1' } }");
  CHECK(trip.status() == 403);
  CHECK(trip.header("content-type") == "application/json");
  CHECK(trip.header("x-a") == "1");
  CHECK(trip.request.exchange.response.body->size() == http::BodySize::known(2));
}

TEST_CASE("respond: a status alone is enough") {
  const Trip trip("respond: 204");
  CHECK(trip.status() == 204);
  CHECK(trip.header("content-type") == "none");
}
