#include "plugins/cache/rules/cache_status.h"

#include <doctest/doctest.h>

#include "unit/plugins/cache_fields.h"

using namespace weir;
using namespace weir::plugins;
using Forward = CacheStatus::Forward;

namespace {

std::string text(const CacheStatus& status, std::string_view name = "weir") {
  Fields memory{};
  return std::string(to_text(status, name, memory.arena));
}

}  // namespace

TEST_CASE("cache status: a hit says for how long it is fresh (RFC 9211 sections 2.1 and 2.4)") {
  CHECK(text({}) == "weir; hit");
  CHECK(text({.ttl = 120}) == "weir; hit; ttl=120");
  CHECK(text({.ttl = -3, .detail = "stale-if-error"}) == "weir; hit; ttl=-3; detail=stale-if-error");
}

TEST_CASE("cache status: what went on says why and what came of it (RFC 9211 sections 2.2 to 2.6)") {
  CHECK(text({.forward = Forward::uri_miss, .forward_status = 200, .is_stored = true, .is_collapsed = true}) ==
        "weir; fwd=uri-miss; fwd-status=200; stored; collapsed");
  CHECK(text({.forward = Forward::stale, .ttl = 60, .forward_status = 304, .is_stored = true}) ==
        "weir; fwd=stale; fwd-status=304; ttl=60; stored");
  CHECK(text({.forward_status = 200, .is_stored = true, .is_collapsed = true}) == "weir; hit");
}

TEST_CASE("cache status: each reason has its name (RFC 9211 section 2.2)") {
  CHECK(text({.forward = Forward::bypass}) == "weir; fwd=bypass");
  CHECK(text({.forward = Forward::method}) == "weir; fwd=method");
  CHECK(text({.forward = Forward::vary_miss}) == "weir; fwd=vary-miss");
  CHECK(text({.forward = Forward::miss}) == "weir; fwd=miss");
  CHECK(text({.forward = Forward::request}) == "weir; fwd=request");
  CHECK(text({.forward = Forward::partial}) == "weir; fwd=partial");
}

TEST_CASE("cache status: a name that is no token is quoted (RFC 9211 section 2)") {
  CHECK(text({}, "edge-1.example:8080/a") == "edge-1.example:8080/a; hit");
  CHECK(text({}, "*") == "*; hit");
  CHECK(text({}, "1st") == "\"1st\"; hit");
  CHECK(text({}, "the edge") == "\"the edge\"; hit");
  CHECK(text({}, "") == "\"\"; hit");
}

TEST_CASE("cache status: the key is a string, escaped and ASCII (RFC 9211 section 2.7)") {
  CHECK(text({.key = "https://a/b?c=d"}) == R"(weir; hit; key="https://a/b?c=d")");
  CHECK(text({.key = "a\"b\\c"}) == R"(weir; hit; key="a\"b\\c")");
  CHECK(text({.key = "\xc3\xa4\n\x7f"}) == R"(weir; hit; key="%C3%A4%0A%7F")");
}

TEST_CASE("cache status: a detail is a token or a string (RFC 9211 section 2.8)") {
  CHECK(text({.forward = Forward::miss, .detail = "no-store"}) == "weir; fwd=miss; detail=no-store");
  CHECK(text({.forward = Forward::miss, .detail = "too large"}) == "weir; fwd=miss; detail=\"too large\"");
}

TEST_CASE("cache status: integers stay within what a structured field holds (RFC 8941 section 3.3.1)") {
  CHECK(text({.ttl = INT64_MAX}) == "weir; hit; ttl=999999999999999");
  CHECK(text({.ttl = INT64_MIN}) == "weir; hit; ttl=-999999999999999");
}

TEST_CASE("cache status: it stands behind what caches nearer to the origin have said (RFC 9211 section 2)") {
  Fields response({{"cache-status", "origin-cache; hit"}, {"Age", "1"}});
  add_cache_status(response, {.ttl = 5}, "weir");
  CHECK(response.headers.joined("Cache-Status") == "origin-cache; hit, weir; hit; ttl=5");
}
