#include "plugins/cache/storage/shelf.h"
#include "unit/plugins/cache_bench.h"

// How long a fill goes on, and for whom.

namespace weir::plugins {
namespace {

using namespace std::chrono_literals;
using Answer = ScriptedOrigin::Answer;

Answer fresh(Duration after) { return {.fields = {{"cache-control", "max-age=60"}}, .after = after}; }

}  // namespace

TEST_CASE("cache fill: one that everybody has left ends before long, if nothing has come") {
  CacheBench bench("{}", fresh(5s));
  auto leader = bench.send("/");
  auto second = bench.send("/");
  leader.reset();
  bench.advance(2s);
  CHECK(bench.background.size() == 1);
  second.reset();
  bench.settle();
  bench.advance(500ms);
  CHECK(bench.background.size() == 1);
  bench.advance(600ms);
  CHECK(bench.background.size() == 0);
  auto third = bench.send("/");
  CHECK(bench.asked() == 2);
  bench.advance(5100ms);
  CHECK(third->is_answered());
}

TEST_CASE("cache fill: whoever comes in time finds what another has left") {
  CacheBench bench("{}", fresh(2s));
  bench.send("/").reset();
  bench.settle();
  bench.advance(900ms);
  auto second = bench.send("/");
  bench.advance(1200ms);
  REQUIRE(second->is_answered());
  CHECK(second->cache_status() == "weir; fwd=uri-miss; fwd-status=200; stored; collapsed");
  CHECK(bench.asked() == 1);
}

TEST_CASE("cache fill: an answer that comes soon is kept, though nobody waits any more") {
  CacheBench bench("{}", fresh(300ms));
  bench.send("/").reset();
  bench.advance(310ms);
  CHECK(bench.get()->cache_status() == "weir; hit; ttl=59");  // its time began when it was asked for
  CHECK(bench.asked() == 1);
}

TEST_CASE("cache fill: a response that is asked for anew behind the client's back needs nobody who waits") {
  CacheBench bench;
  bench.scripted->script = [&](Exchange&) {
    return Answer{.fields = {{"cache-control", "max-age=5, stale-while-revalidate=60"}},
                  .after = bench.asked() > 1 ? Duration(3s) : Duration{}};
  };
  bench.get();
  bench.advance(6s);
  bench.get();
  bench.advance(2900ms);
  bench.advance(200ms);
  CHECK(bench.get()->cache_status() == "weir; hit; ttl=1");
  CHECK(bench.asked() == 2);
}

TEST_CASE("cache fill: of those that everybody has left no more than so many go on") {
  CacheBench bench("{}", fresh(500ms));
  for (int i = 0; i < 100; ++i) bench.send("/" + std::to_string(i)).reset();
  bench.settle();
  CHECK(bench.asked() == 100);
  CHECK(bench.background.size() == 64);
  auto waiting = bench.send("/waiting");
  CHECK(bench.background.size() == 65);
  bench.advance(510ms);
  CHECK(waiting->is_answered());
  CHECK(bench.background.size() == 0);
}

TEST_CASE(
    "cache fill: a response that the origin doesn't answer for is refreshed once at a time, however long that takes") {
  CacheBench bench;
  bench.scripted->script = [&](Exchange&) {
    return Answer{.fields = {{"cache-control", "max-age=5, stale-while-revalidate=600"}},
                  .after = bench.asked() > 1 ? Duration(100s) : Duration{}};
  };
  bench.get();
  for (int i = 0; i < 10; ++i) {
    bench.advance(6s);  // longer than a fill is joined
    CHECK(bench.get()->cache_status().contains("stale-while-revalidate"));
  }
  CHECK(bench.asked() == 2);
  CHECK(bench.background.size() == 1);
  bench.advance(100s);
  CHECK(bench.background.size() == 0);
  bench.advance(6s);
  bench.get();
  CHECK(bench.asked() == 3);
}

TEST_CASE("cache fill: refreshes that nobody waits for are bounded in number, and counted beyond that") {
  CacheBench bench;
  bench.scripted->script = [&](Exchange&) {
    return Answer{.fields = {{"cache-control", "max-age=5, stale-while-revalidate=600"}},
                  .after = bench.asked() > 400 ? Duration(100s) : Duration{}};
  };
  for (int i = 0; i < 400; ++i) bench.get("/" + std::to_string(i));
  bench.advance(6s);
  for (int i = 0; i < 400; ++i) CHECK(bench.get("/" + std::to_string(i))->status() == 200);
  constexpr int kMost = Shelf::Refresh::kMost / 2;  // of one client
  CHECK(bench.asked() == 400 + kMost);
  CHECK(bench.background.size() == kMost);
  CHECK(bench.metrics.counter("cache_refreshes_refused", "", {{"cache", "test"}}).value() == 400 - kMost);
}

TEST_CASE("cache: ranges of what can't be stored cost one request each, but for the first") {
  CacheBench bench("{ uncacheable_ttl: 60s }", {.fields = {{"cache-control", "no-store"}}, .body = "0123456789"});
  for (int i = 0; i < 5; ++i) bench.get("/", {{"range", "bytes=2-4"}});
  CHECK(bench.asked() == 6);
  CHECK_FALSE(bench.scripted->asked[0].has_range);
  for (size_t i = 1; i < 6; ++i) CHECK(bench.scripted->asked[i].has_range);
  CHECK(bench.get("/", {{"range", "bytes=2-4"}})->cache_status() ==
        "weir; fwd=uri-miss; fwd-status=200; detail=uncacheable");
  bench.scripted->script = [](Exchange&) {
    return Answer{.fields = {{"cache-control", "max-age=60"}}, .body = "0123456789"};
  };
  bench.advance(61s);
  bench.get("/", {{"range", "bytes=2-4"}});
  CHECK(bench.last_body == "234");
}

TEST_CASE("cache: what a 304 forbids to keep isn't said to be stored (RFC 9211 section 2.6)") {
  CacheBench bench;
  bench.scripted->script = [](Exchange& exchange) {
    if (exchange.request.headers.has(http::Field::if_none_match)) {
      return Answer{.status = 304, .fields = {{"etag", "\"1\""}, {"cache-control", "no-store"}}, .body = ""};
    }
    return Answer{.fields = {{"etag", "\"1\""}, {"cache-control", "max-age=5"}}};
  };
  bench.get();
  bench.advance(6s);
  CHECK(bench.get()->cache_status() == "weir; fwd=stale; fwd-status=304");
}

}  // namespace weir::plugins
