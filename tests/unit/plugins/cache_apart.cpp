#include "unit/plugins/cache_bench.h"

// One client's response, failure or wait reaches no other client of a cache.

namespace weir::plugins {
namespace {

using namespace std::chrono_literals;
using Answer = ScriptedOrigin::Answer;
using Fields = CacheBench::Fields;

Answer fresh(std::string body = "body") {
  return {.fields = {{"cache-control", "max-age=60"}}, .body = std::move(body)};
}

/// Tells the query that the origin was asked with.
struct QueryBench : CacheBench {
  explicit QueryBench(const std::string& query) : CacheBench("{ query: " + query + " }") {
    scripted->script = [](Exchange& exchange) {
      const auto& request = exchange.request;
      return fresh((request.has_query ? "?" : "") + std::string(request.query));
    };
  }
  /// What is served for it.
  std::string of(const std::string& path) {
    get(path);
    return last_body;
  }
};

/// A response behind which bytes came that belong to no message.
struct StrayBody : TextBody {
  using TextBody::TextBody;
  bool is_exact() const override { return false; }
};

struct StrayOrigin : Origin {
  Task<> handle(Exchange& exchange) const override {
    ++asked;
    exchange.respond(200, "text/plain", "body");
    exchange.response.head.headers.add("cache-control", "max-age=60");
    exchange.response.body = make_in<StrayBody>(exchange.arena(), exchange.arena(), "body");
    co_return;
  }
  mutable int asked = 0;
};

/// How often the origin is asked by two requests for the same.
int asked_twice(const std::string& filters) {
  CacheBench bench(filters);
  const auto origin = std::make_shared<StrayOrigin>();
  bench.chain = Chain(bench.chain.links(), origin);
  bench.get();
  CHECK(bench.last_body == "body");
  bench.get();
  return origin->asked;
}

}  // namespace

TEST_CASE("cache: a request that lacks one part of the key is served no page of another user") {
  CacheBench bench("{ key: [header.x-user, header.x-tenant] }");
  bench.scripted->script = [](Exchange& exchange) {
    return fresh(std::string(exchange.request.headers.get("x-user").value_or("nobody")));
  };
  const auto of = [&](Fields fields) {
    bench.get("/", std::move(fields));
    return bench.last_body;
  };
  CHECK(of({{"x-user", "ann"}}) == "ann");
  CHECK(of({{"x-user", "bob"}}) == "bob");
  CHECK(of({{"x-tenant", "acme"}}) == "nobody");
  CHECK(of({}) == "nobody");
  CHECK(of({{"x-user", ""}}) == "");
  CHECK(of({{"x-user", "ann"}}) == "ann");
  CHECK(bench.asked() == 5);
}

TEST_CASE("cache: a fill asks for what is in the key, and for nothing else") {
  QueryBench denying("{ deny: [utm_source] }");
  CHECK(denying.of("/p?utm_source=1") == "");
  CHECK(denying.of("/p") == "");
  CHECK(denying.of("/p?a=1&utm%5Fsource=x&b=2") == "?a=1&b=2");
  CHECK(denying.asked() == 2);
  QueryBench allowing("{ allow: [id] }");
  CHECK(allowing.of("/p?lang=evil&id=1") == "?id=1");
  QueryBench sorting("{ sort: true }");
  CHECK(sorting.of("/p?b=2&a=1&&") == "?a=1&b=2");
}

TEST_CASE("cache: a ';' inside a parameter is part of the key, since it may hide a second one") {
  for (const auto* query : {"{ deny: [utm_source] }", "{ allow: [id] }"}) {
    QueryBench bench(query);
    CHECK(bench.of("/p?utm_source=1;lang=evil") == "?utm_source=1;lang=evil");
    CHECK(bench.of("/p") == "");
    CHECK(bench.asked() == 2);
  }
}

TEST_CASE("cache: what a HEAD renews was asked for as the key has it") {
  QueryBench bench("{ deny: [evil] }");
  bench.scripted->script = [](Exchange& exchange) {
    return Answer{.fields = {{"cache-control", "no-cache, max-age=60"}, {"etag", "\"1\""}},
                  .body = std::string(exchange.request.query)};
  };
  bench.get("/p");
  bench.scripted->script = [](Exchange& exchange) {
    CHECK(exchange.request.query.empty());
    return Answer{.fields = {{"etag", "\"1\""}}, .body = ""};
  };
  bench.get("/p?evil=1", {}, "HEAD");
  CHECK(bench.asked() == 2);
}

TEST_CASE("cache: a change is forgotten in the form that the key has") {
  CacheBench bench("{ query: { deny: [utm], sort: true } }");
  bench.scripted->script = [](Exchange& exchange) {
    if (exchange.request.method == http::Method::get) return fresh();
    return Answer{
        .status = 201,
        .fields = {{"location", "/made?b=2&utm=1&a=1"}, {"content-location", "http://example.com/seen?utm=2"}}};
  };
  const auto is_stored = [&](const std::string& path) {
    return bench.get(path)->cache_status().starts_with("weir; hit");
  };
  bench.get("/made?a=1&b=2");
  bench.get("/seen");
  bench.get("/p");
  bench.get("/other");
  bench.get("/p?utm=3", {}, "POST");
  CHECK_FALSE(is_stored("/made?a=1&b=2"));
  CHECK_FALSE(is_stored("/seen"));
  CHECK_FALSE(is_stored("/p"));
  CHECK(is_stored("/other"));
}

TEST_CASE("cache: a response behind which stray bytes came isn't stored, whatever filter has its body in hand") {
  CHECK(asked_twice("{}") == 2);
  CHECK(asked_twice("{}, concurrency_limit: 5") == 2);
  CHECK(asked_twice("{ name: outer }, cache: { name: inner }") == 2);
}

TEST_CASE("cache: one client's refusal by a limit is no other client's") {
  for (const std::string limit :
       {"rate_limit: { rate: 1/hour, key: header.x-user }", "concurrency_limit: { max: 1, key: header.x-user }"}) {
    CAPTURE(limit);
    auto answer = fresh();
    answer.after = 300ms;
    CacheBench bench("{}, " + limit, answer);
    auto spent = bench.send("/spent", {{"x-user", "evil"}});  // takes what the limit gives
    std::vector<CacheBench::ClientPtr> clients;
    for (int i = 0; i < 3; ++i) clients.push_back(bench.send("/p", {{"x-user", "evil"}}));
    for (int i = 0; i < 12; ++i) clients.push_back(bench.send("/p", {{"x-user", "ann"}}));
    for (int i = 0; i < 20; ++i) bench.advance(100ms);
    for (size_t i = 3; i < clients.size(); ++i) {
      REQUIRE(clients[i]->is_answered());
      CHECK(clients[i]->status() == 200);
    }
    CHECK(clients[0]->status() == 429);
    CHECK(bench.asked() == 2);
  }
}

TEST_CASE("cache: one client's wait for its turn at a limit delays no other client") {
  for (const std::string limit :
       {"rate_limit: { rate: 1/minute, key: header.x-user, mode: throttle, max_delay: 1h }",
        "concurrency_limit: { max: 1, key: header.x-user, queue: { max: 9, timeout: 1h } }"}) {
    CAPTURE(limit);
    CacheBench bench("{}, " + limit);
    bench.scripted->script = [](Exchange& exchange) {
      auto answer = fresh();
      if (exchange.request.path == "/spent") answer.after = 50s;
      return answer;
    };
    auto spent = bench.send("/spent", {{"x-user", "evil"}});
    auto delayed = bench.send("/p", {{"x-user", "evil"}});
    auto innocent = bench.send("/p", {{"x-user", "ann"}});
    CHECK_FALSE(delayed->is_answered());
    REQUIRE(innocent->is_answered());
    CHECK(innocent->status() == 200);
  }
}

TEST_CASE("cache: clients that a fill was dismissed from wait for it no longer, also those that wait already") {
  CacheBench bench("{}, concurrency_limit: { max: 1, key: header.x-user, queue: { max: 9, timeout: 1h } }");
  bench.scripted->script = [](Exchange& exchange) {
    auto answer = fresh();
    if (exchange.request.path == "/spent") answer.after = 50s;
    return answer;
  };
  auto spent = bench.send("/spent", {{"x-user", "evil"}});
  auto delayed = bench.send("/p", {{"x-user", "evil"}});
  bench.get("/p", {{"x-user", "ann"}});
  bench.advance(51s);
  REQUIRE(delayed->is_answered());
  CHECK(delayed->status() == 200);
}

TEST_CASE("cache: a leader's deadline ends its own request, and no fill") {
  auto answer = fresh();
  answer.after = 300ms;
  CacheBench bench("{}", answer);
  Route route;
  route.timeout = 10s;
  std::vector<bool> has_terms;
  bench.scripted->script = [&](Exchange& exchange) {
    has_terms.push_back(exchange.request.headers.get("grpc-timeout").has_value());
    CHECK(exchange.deadline == exchange.loop().now() + 10s);
    return answer;
  };
  CacheClient leader(bench.worker, bench.chain, "/", {{"grpc-timeout", "100m"}}, "GET", [&](Exchange& exchange) {
    exchange.route = &route;
    exchange.deadline = exchange.loop().now() + 100ms;
  });
  bench.settle();
  auto waiter = bench.send("/");
  bench.advance(110ms);
  REQUIRE(leader.is_answered());
  CHECK(leader.status() == 504);
  CHECK_FALSE(waiter->is_answered());
  bench.advance(200ms);
  REQUIRE(waiter->is_answered());
  CHECK(waiter->status() == 200);
  CHECK(has_terms == std::vector{false});
}

TEST_CASE("cache: what only one client's request provokes is no other client's response") {
  CacheBench bench;
  bench.scripted->script = [](Exchange& exchange) {
    const bool is_evil = exchange.request.headers.get("x-evil").has_value();
    auto answer = is_evil ? Answer{.status = 500} : fresh();
    answer.after = 100ms;
    return answer;
  };
  std::vector<CacheBench::ClientPtr> evil, innocent;
  for (int i = 0; i < 4; ++i) evil.push_back(bench.send("/", {{"x-evil", "1"}}));
  for (int i = 0; i < 10; ++i) innocent.push_back(bench.send("/"));
  for (int i = 0; i < 30; ++i) bench.advance(100ms);
  for (const auto& client : innocent) {
    REQUIRE(client->is_answered());
    CHECK(client->status() == 200);
  }
}

TEST_CASE("cache: those who were left alone ask beside each other, and not all at once") {
  CacheBench bench;
  int running = 0, most = 0;
  bench.scripted->script = [&](Exchange&) {
    most = std::max(most, ++running);
    return Answer{.status = 500, .after = 10ms};
  };
  std::vector<CacheBench::ClientPtr> clients;
  for (int i = 0; i < 60; ++i) clients.push_back(bench.send("/"));
  for (int i = 0; i < 60; ++i) {
    bench.advance(10ms);
    running = 0;
  }
  CHECK(most <= 8);
  for (const auto& client : clients) {
    REQUIRE(client->is_answered());
    CHECK(client->status() == 500);  // each has the origin's answer to its own request
  }
  CHECK(bench.asked() == 60);
}

TEST_CASE("cache: a response that only says what was wrong with a request takes no stored page away") {
  CacheBench bench("{}", {.fields = {{"cache-control", "max-age=1, stale-if-error=600"}, {"etag", "\"1\""}}});
  bench.get();
  bench.advance(2s);
  bench.scripted->script = [](Exchange&) { return Answer{.status = 400, .fields = {{"cache-control", "no-store"}}}; };
  CHECK(bench.get()->status() == 400);
  bench.scripted->script = [](Exchange&) { return Answer{.status = 503}; };
  CHECK(bench.get()->status() == 200);
}

TEST_CASE("cache: a limit with a key behind it is a warning of the file") {
  for (const auto& [filters, warnings] :
       {std::pair("[cache: {}, rate_limit: 5/second]", 1), std::pair("[rate_limit: 5/second, cache: {}]", 0),
        std::pair("[cache: {}, concurrency_limit: 5]", 0),
        std::pair("[cache: {}, concurrency_limit: { max: 5, key: client.ip }]", 1)}) {
    CAPTURE(filters);
    FilterBench bench(std::string("filters: ") + filters);
    CHECK(bench.problems.empty());
    CHECK(bench.problems.warnings().size() == static_cast<size_t>(warnings));
  }
}

}  // namespace weir::plugins
