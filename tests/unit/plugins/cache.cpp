#include "unit/plugins/cache_bench.h"

namespace weir::plugins {
namespace {

using namespace std::chrono_literals;
using Answer = ScriptedOrigin::Answer;

Answer fresh(std::string seconds = "60") { return {.fields = {{"cache-control", "max-age=" + seconds}}}; }
Answer broken() { return {.failure = Error{ErrorCode::connect_refused, Side::upstream, "no"}}; }

}  // namespace

TEST_CASE("cache: a stored response is reused while it is fresh, with its Age (RFC 9111 section 4)") {
  CacheBench bench("{}", fresh());
  CHECK(bench.get()->cache_status() == "weir; fwd=uri-miss; fwd-status=200; stored");
  bench.advance(10s);
  const auto hit = bench.get();
  CHECK(hit->status() == 200);
  CHECK(bench.last_body == "body");
  CHECK(hit->field("age") == "10");
  CHECK(hit->cache_status() == "weir; hit; ttl=50");
  CHECK(bench.asked() == 1);
  bench.advance(51s);
  bench.get();
  CHECK(bench.asked() == 2);
}

TEST_CASE("cache: another URL, query or host is another response (RFC 9111 section 2)") {
  CacheBench bench("{}", fresh());
  bench.get("/a");
  bench.get("/a?x=1");
  bench.get("/a?");
  bench.get("/A");
  CHECK(bench.asked() == 4);
}

TEST_CASE("cache: no-store, private, Set-Cookie and Authorization keep a response out (RFC 9111 section 3)") {
  for (const auto& answer : {Answer{.fields = {{"cache-control", "no-store, max-age=60"}}},
                             Answer{.fields = {{"cache-control", "private, max-age=60"}}},
                             Answer{.fields = {{"cache-control", "max-age=60"}, {"set-cookie", "a=b"}}},
                             Answer{.fields = {{"vary", "*"}, {"cache-control", "max-age=60"}}}}) {
    CacheBench bench("{}", answer);
    bench.get();
    bench.get();
    CHECK(bench.asked() == 2);
  }
  CacheBench bench("{}", fresh());
  bench.get("/", {{"authorization", "Basic x"}});
  bench.get("/", {{"authorization", "Basic x"}});
  CHECK(bench.asked() == 2);
}

TEST_CASE("cache: a stale response is validated, and renewed by a 304 (RFC 9111 section 4.3)") {
  CacheBench bench;
  bench.scripted->script = [](Exchange& exchange) {
    const auto tag = exchange.request.headers.get(http::Field::if_none_match);
    if (tag == "\"1\"")
      return Answer{
          .status = 304, .fields = {{"etag", "\"1\""}, {"cache-control", "max-age=5"}, {"x-new", "yes"}}, .body = ""};
    return Answer{.fields = {{"etag", "\"1\""}, {"cache-control", "max-age=5"}}};
  };
  bench.get();
  bench.advance(6s);
  const auto renewed = bench.get();
  CHECK(renewed->status() == 200);
  CHECK(bench.last_body == "body");
  CHECK(renewed->field("x-new") == "yes");
  CHECK(renewed->cache_status() == "weir; fwd=stale; fwd-status=304; stored");
  CHECK(bench.get()->cache_status() == "weir; hit; ttl=5");
  CHECK(bench.asked() == 2);
}

TEST_CASE("cache: a client that has it already is told so (RFC 9111 section 4.3.2)") {
  CacheBench bench("{}", {.fields = {{"etag", "\"1\""}, {"cache-control", "max-age=60"}}});
  bench.get();
  const auto client = bench.get("/", {{"if-none-match", "\"0\", W/\"1\""}});
  CHECK(client->status() == 304);
  CHECK(client->field("etag") == "\"1\"");
  CHECK(client->field("content-type") == "(none)");
  CHECK(bench.asked() == 1);
}

TEST_CASE("cache: a range comes out of the whole, which is asked for (RFC 9111 section 3.3)") {
  CacheBench bench("{}", {.fields = {{"cache-control", "max-age=60"}}, .body = "0123456789"});
  const auto part = bench.get("/", {{"range", "bytes=2-4"}});
  CHECK(part->status() == 206);
  CHECK(bench.last_body == "234");
  CHECK(part->field("content-range") == "bytes 2-4/10");
  CHECK_FALSE(bench.scripted->asked[0].has_range);
  CHECK(bench.get("/", {{"range", "bytes=-3"}})->status() == 206);
  CHECK(bench.last_body == "789");
  CHECK(bench.get("/", {{"range", "bytes=20-"}})->status() == 416);
  CHECK(bench.asked() == 1);
}

TEST_CASE("cache: HEAD is answered by what a GET has stored (RFC 9111 section 4)") {
  CacheBench bench("{}", fresh());
  bench.get();
  const auto head = bench.get("/", {}, "HEAD");
  CHECK(head->status() == 200);
  CHECK(bench.last_body.empty());
  CHECK(head->exchange.response.body->size() == http::BodySize::known(4));
  CHECK(bench.asked() == 1);
}

TEST_CASE("cache: variants are kept side by side (RFC 9111 section 4.1)") {
  CacheBench bench;
  bench.scripted->script = [](Exchange& exchange) {
    return Answer{.fields = {{"cache-control", "max-age=60"}, {"vary", "accept-language"}},
                  .body = std::string(exchange.request.headers.get("accept-language").value_or("none"))};
  };
  for (const std::string language : {"en", "fr", "en", "fr"}) {
    bench.get("/", {{"accept-language", language}});
    CHECK(bench.last_body == language);
  }
  CHECK(bench.get("/", {{"accept-language", "de"}})->cache_status().starts_with("weir; fwd=vary-miss"));
  CHECK(bench.asked() == 3);
}

TEST_CASE("cache: many who want the same ask once, and have it while it comes (RFC 9211: collapsed)") {
  auto answer = fresh();
  answer.after = 300ms;
  CacheBench bench("{}", answer);
  auto leader = bench.send("/");
  auto second = bench.send("/");
  auto third = bench.send("/");
  bench.advance(310ms);
  REQUIRE(third->is_answered());
  CHECK(leader->cache_status() == "weir; fwd=uri-miss; fwd-status=200; stored");
  CHECK(third->cache_status() == "weir; fwd=uri-miss; fwd-status=200; stored; collapsed");
  CHECK(second->body(bench.loop) == "body");
  CHECK(bench.asked() == 1);
}

TEST_CASE("cache: a leader that goes doesn't spoil it for the others") {
  auto answer = fresh();
  answer.after = 300ms;
  CacheBench bench("{}", answer);
  auto leader = bench.send("/");
  auto second = bench.send("/");
  leader.reset();
  bench.advance(310ms);
  REQUIRE(second->is_answered());
  CHECK(second->body(bench.loop) == "body");
  CHECK(bench.asked() == 1);
}

TEST_CASE("cache: when a leader fails, one of the others asks once more, and then each for itself") {
  auto answer = broken();
  answer.after = 100ms;
  CacheBench bench("{}", answer);
  std::vector<CacheBench::ClientPtr> clients;
  for (int i = 0; i < 10; ++i) clients.push_back(bench.send("/"));
  for (int i = 0; i < 5; ++i) bench.advance(105ms);
  for (const auto& client : clients) {
    REQUIRE(client->is_answered());
    CHECK(client->status() == 502);
  }
  CHECK(bench.asked() == 10);
}

TEST_CASE("cache: what turned out uncacheable makes nobody wait for a while") {
  CacheBench bench("{}", {.fields = {{"cache-control", "no-store"}}, .after = 300ms});
  bench.get();
  auto first = bench.send("/");
  auto second = bench.send("/");
  CHECK(bench.asked() == 3);
  bench.advance(310ms);
  CHECK(first->is_answered());
  CHECK(second->cache_status() == "weir; fwd=uri-miss; fwd-status=200; detail=no-store");
}

TEST_CASE("cache: nobody waits for another's answer longer than the bound") {
  auto answer = fresh();
  answer.after = 10s;
  CacheBench bench("{ collapse: { wait: 1s } }", answer);
  auto leader = bench.send("/");
  auto second = bench.send("/");
  bench.advance(1010ms);
  CHECK(bench.asked() == 2);
}

TEST_CASE("cache: past its time, while it is asked for anew, it is served at once (RFC 5861 section 3)") {
  CacheBench bench("{}", {.fields = {{"cache-control", "max-age=5, stale-while-revalidate=10"}}, .after = 100ms});
  bench.get();
  bench.advance(7s);
  auto stale = bench.send("/");
  REQUIRE(stale->is_answered());
  CHECK(stale->cache_status() == "weir; hit; ttl=-3; detail=stale-while-revalidate");
  CHECK(stale->exchange.record.has(Flag::ST));
  auto again = bench.send("/");
  CHECK(again->is_answered());
  CHECK(bench.asked() == 2);
  bench.advance(110ms);
  CHECK(bench.get()->cache_status() == "weir; hit; ttl=4");
  CHECK(bench.asked() == 2);
}

TEST_CASE("cache: a failing origin is stood in for (RFC 5861 section 4)") {
  for (const auto& failure : {broken(), Answer{.status = 503}}) {
    CacheBench bench("{ serve_stale: { if_error: 1h } }", fresh("5"));
    bench.get();
    bench.advance(10s);
    bench.scripted->script = [&](Exchange&) { return failure; };
    const auto client = bench.get();
    CHECK(client->status() == 200);
    CHECK(client->cache_status() == "weir; hit; ttl=-5; detail=stale-if-error");
    CHECK(bench.last_body == "body");
  }
}

TEST_CASE("cache: what must be revalidated isn't served without the origin (RFC 9111 section 5.2.2.2)") {
  CacheBench bench("{ serve_stale: { if_error: 1h } }", {.fields = {{"cache-control", "max-age=5, must-revalidate"}}});
  bench.get();
  bench.advance(10s);
  bench.scripted->script = [](Exchange&) { return broken(); };
  CHECK(bench.get()->status() == 504);
}

TEST_CASE("cache: a change is forgotten, and where it points to on the same origin (RFC 9111 section 4.4)") {
  CacheBench bench("{}", fresh());
  bench.get("/a");
  bench.get("/b/c");
  bench.get("/d");
  bench.scripted->script = [](Exchange&) {
    return Answer{.status = 201, .fields = {{"location", "c"}, {"content-location", "http://other.example/d"}}};
  };
  bench.get("/a", {}, "POST");
  bench.scripted->script = [](Exchange&) { return fresh(); };
  const auto before = bench.asked();
  bench.get("/a");
  bench.get("/d");
  CHECK(bench.asked() == before + 1);
}

TEST_CASE("cache: a change that failed changes nothing (RFC 9111 section 4.4)") {
  CacheBench bench("{}", fresh());
  bench.get();
  bench.scripted->script = [](Exchange&) { return Answer{.status = 409}; };
  bench.get("/", {}, "DELETE");
  bench.get();
  CHECK(bench.asked() == 2);
}

TEST_CASE("cache: only-if-cached is 504 without a stored response (RFC 9111 section 5.2.1.7)") {
  CacheBench bench("{}", fresh());
  CHECK(bench.get("/", {{"cache-control", "only-if-cached"}})->status() == 504);
  CHECK(bench.asked() == 0);
  bench.get();
  CHECK(bench.get("/", {{"cache-control", "only-if-cached"}})->status() == 200);
}

TEST_CASE("cache: what a client asks for is obeyed only where the route says so (RFC 9111 section 5.2.1)") {
  CacheBench bench("{ respect_request_directives: [no_store] }", fresh());
  bench.get();
  bench.get("/", {{"cache-control", "no-cache"}});
  CHECK(bench.asked() == 1);
  bench.get("/other", {{"cache-control", "no-store"}});
  bench.get("/other");
  CHECK(bench.asked() == 3);
}

TEST_CASE("cache: an object larger than the largest passes through whole, and isn't stored") {
  const std::string body(100'000, 'x');
  CacheBench bench("{ max_size: 1MiB, max_object: 50KiB }",
                   {.fields = {{"cache-control", "max-age=60"}}, .body = body});
  CHECK(bench.get()->status() == 200);
  CHECK(bench.last_body == body);
  bench.get();
  CHECK(bench.asked() == 2);
}

TEST_CASE("cache: tags and fields for this cache alone aren't shown to clients (RFC 9213)") {
  CacheBench bench("{}", {.fields = {{"weir-cache-control", "max-age=60"},
                                     {"cache-control", "no-store"},
                                     {"cdn-cache-control", "max-age=1"},
                                     {"surrogate-key", "a b"}}});
  for (int i = 0; i < 2; ++i) {
    const auto client = bench.get();
    CHECK(client->field("weir-cache-control") == "(none)");
    CHECK(client->field("surrogate-key") == "(none)");
    CHECK(client->field("cache-control") == "no-store");
    CHECK(client->field("cdn-cache-control") == "max-age=1");
  }
  CHECK(bench.asked() == 1);
}

TEST_CASE("cache: parameters that don't count and their order aren't in the key, when the route says so") {
  CacheBench bench("{ query: { deny: [utm_source], sort: true } }", fresh());
  bench.get("/?b=2&a=1&utm_source=x");
  bench.get("/?a=1&b=2");
  CHECK(bench.asked() == 1);
  bench.get("/?a=2&a=1");
  bench.get("/?a=1&a=2");
  CHECK(bench.asked() == 3);
}

TEST_CASE("cache: a key expression keeps a copy for each of its values") {
  CacheBench bench("{ key: header.x-user }", fresh());
  bench.get("/", {{"x-user", "ann"}});
  bench.get("/", {{"x-user", "bob"}});
  bench.get("/", {{"x-user", "ann"}});
  CHECK(bench.asked() == 2);
}

TEST_CASE("cache: ttl is for responses that don't say themselves, ttl_by_status for whichever status") {
  CacheBench bench("{ ttl: 10s, ttl_by_status: { 500: 3s } }");
  bench.get();
  CHECK(bench.get()->cache_status() == "weir; hit; ttl=10");
  bench.scripted->script = [](Exchange&) { return Answer{.status = 500}; };
  bench.get("/error");
  CHECK(bench.get("/error")->cache_status() == "weir; hit; ttl=3");
}

TEST_CASE("cache: nonsense is a problem of the file") {
  const auto problems = [](const std::string& yaml) {
    return FilterBench("filters: [cache: " + yaml + "]").problems.text();
  };
  CHECK(problems("{ max_size: 8MiB, max_object: 4MiB }").contains("more than a quarter of max_size"));
  CHECK(problems("{ ttl_by_status: { 206: 1s } }").contains("is not a status that is kept"));
  CHECK(problems("{ query: { allow: [a], deny: [b] } }").contains("allow"));
  CHECK(problems("{ tags: ['a b'] }").contains("is not a field name"));
  CHECK(problems("{ purge_from: [somewhere] }").contains("is not a network"));
}

}  // namespace weir::plugins
