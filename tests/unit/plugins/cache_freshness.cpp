#include "plugins/cache/rules/freshness.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "unit/plugins/cache_fields.h"

using namespace weir;
using namespace weir::plugins;
using namespace std::chrono_literals;

namespace {

constexpr http::DateTime kNow{std::chrono::seconds(784111777)};  // Sun, 06 Nov 1994 08:49:37 GMT
constexpr std::string_view kSameTime = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr std::string_view kMinuteAgo = "Sun, 06 Nov 1994 08:48:37 GMT";
constexpr std::string_view kMinuteAhead = "Sun, 06 Nov 1994 08:50:37 GMT";
constexpr std::string_view kDayAgo = "Sat, 05 Nov 1994 08:49:37 GMT";

Duration age(Fields::Lines lines, Duration took = 0s) { return initial_age(Fields(lines), kNow, took); }

std::optional<Duration> stated(Fields::Lines lines) {
  const Fields fields(lines);
  return stated_lifetime(fields, response_directives(fields, {}), kNow);
}

std::optional<Duration> heuristic(uint16_t status, Fields::Lines lines, Duration most = 24h) {
  const Fields fields(lines);
  return heuristic_lifetime(status, fields, response_directives(fields, {}), kNow, 0.1, most);
}

}  // namespace

TEST_CASE("cache freshness: the age is the larger of what Date and Age tell (RFC 9111 section 4.2.3)") {
  CHECK(age({{"Date", kSameTime}}) == 0s);
  CHECK(age({{"Date", kMinuteAgo}}) == 60s);
  CHECK(age({{"Date", kMinuteAgo}, {"Age", "10"}}) == 60s);
  CHECK(age({{"Date", kMinuteAgo}, {"Age", "100"}}) == 100s);
}

TEST_CASE("cache freshness: the time that the response took adds to its Age alone (RFC 9111 section 4.2.3)") {
  CHECK(age({{"Date", kSameTime}}, 250ms) == 250ms);
  CHECK(age({{"Date", kSameTime}, {"Age", "10"}}, 250ms) == 10s + 250ms);
  CHECK(age({{"Date", kMinuteAgo}}, 250ms) == 60s);
  CHECK(age({{"Date", kSameTime}}, -1s) == 0s);
}

TEST_CASE("cache freshness: a clock ahead of this one makes no response younger than new (RFC 9111 section 4.2.3)") {
  CHECK(age({{"Date", kMinuteAhead}}) == 0s);
  CHECK(age({{"Date", kMinuteAhead}, {"Age", "5"}}) == 5s);
}

TEST_CASE("cache freshness: without a Date that can be read it is that of the arrival (RFC 9110 section 6.6.1)") {
  CHECK(age({}) == 0s);
  CHECK(age({{"Date", "yesterday"}}) == 0s);
  CHECK(stated({{"Expires", kMinuteAhead}}) == 60s);
  CHECK(stated({{"Date", "yesterday"}, {"Expires", kMinuteAhead}}) == 60s);
}

TEST_CASE("cache freshness: of several ages the first counts, and what is none says nothing (RFC 9111 section 5.1)") {
  CHECK(age({{"Age", "10, 20"}}) == 10s);
  CHECK(age({{"Age", "10"}, {"Age", "20"}}) == 10s);
  for (const char* text : {"", "x", "-5", "+5", "1.5", "5;a", "\"5\"", ", 5"}) {
    CAPTURE(text);
    CHECK(age({{"Age", text}}) == 0s);
  }
  CHECK(age({{"Age", "99999999999999999999"}}) == std::chrono::seconds(uint32_t{1} << 31));
}

TEST_CASE("cache freshness: s-maxage is before max-age, and that before Expires (RFC 9111 section 4.2.1)") {
  CHECK(stated({{"Cache-Control", "s-maxage=1, max-age=2"}, {"Expires", kMinuteAhead}}) == 1s);
  CHECK(stated({{"Cache-Control", "max-age=2"}, {"Expires", kMinuteAhead}}) == 2s);
  CHECK(stated({{"Date", kSameTime}, {"Expires", kMinuteAhead}}) == 60s);
  CHECK(stated({{"Date", kMinuteAgo}, {"Expires", kMinuteAhead}}) == 120s);
  CHECK_FALSE(stated({{"Date", kSameTime}}));
  CHECK_FALSE(stated({{"Cache-Control", "public"}}));
}

TEST_CASE("cache freshness: what Expires says is over when it can't be read (RFC 9111 section 5.3)") {
  for (const auto text :
       {std::string_view("0"), std::string_view("-1"), std::string_view(""), std::string_view("never"),
        std::string_view("Sun, 06 Nov 1994 08:50:37 UTC"), kMinuteAgo, kSameTime}) {
    CAPTURE(text);
    CHECK(stated({{"Date", kSameTime}, {"Expires", text}}) == 0s);
  }
  CHECK(stated({{"Expires", kMinuteAhead}, {"Expires", "0"}}) == 0s);
}

TEST_CASE("cache freshness: dates that lie thousands of years apart don't overflow") {
  constexpr std::string_view kLast = "Fri, 31 Dec 9999 23:59:59 GMT";
  constexpr std::string_view kFirst = "Sat, 01 Jan 0000 00:00:00 GMT";
  const auto most = std::chrono::seconds(uint32_t{1} << 31);
  CHECK(stated({{"Date", kFirst}, {"Expires", kLast}}) == most);
  CHECK(stated({{"Date", kLast}, {"Expires", kFirst}}) == 0s);
  CHECK(age({{"Date", kFirst}, {"Age", "2147483648"}}, 1s) == most + 1s);
  CHECK(heuristic(200, {{"Date", kLast}, {"Last-Modified", kFirst}}) == 24h);
}

TEST_CASE("cache freshness: with a targeted field Expires counts for nothing (RFC 9213 section 2.2)") {
  const Fields fields({{"CDN-Cache-Control", "public"}, {"Expires", kMinuteAhead}});
  const std::vector<std::string> targets{"cdn-cache-control"};
  CHECK_FALSE(stated_lifetime(fields, response_directives(fields, targets), kNow));
}

TEST_CASE("cache freshness: a heuristic takes a share of the time since the last change (RFC 9111 section 4.2.2)") {
  CHECK(heuristic(200, {{"Date", kSameTime}, {"Last-Modified", kDayAgo}}) == 8640s);
  CHECK(heuristic(200, {{"Last-Modified", kDayAgo}}) == 8640s);
  CHECK(heuristic(200, {{"Last-Modified", kDayAgo}}, 1h) == 1h);
  CHECK(heuristic(200, {{"Last-Modified", kMinuteAhead}}) == 0s);
}

TEST_CASE("cache freshness: there is no heuristic for what says it itself or not enough (RFC 9111 section 4.2.2)") {
  CHECK_FALSE(heuristic(200, {{"Last-Modified", kDayAgo}, {"Expires", kMinuteAhead}}));
  CHECK_FALSE(heuristic(200, {{"Last-Modified", kDayAgo}, {"Cache-Control", "max-age=0"}}));
  CHECK_FALSE(heuristic(200, {}));
  CHECK_FALSE(heuristic(200, {{"Last-Modified", "long ago"}}));
}

TEST_CASE("cache freshness: heuristics are for some statuses, and for what is public (RFC 9110 section 15.1)") {
  for (const int status : {200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501}) {
    CHECK(is_heuristically_cacheable(static_cast<uint16_t>(status)));
  }
  for (const int status : {201, 202, 302, 303, 304, 307, 400, 403, 500, 503}) {
    CHECK_FALSE(is_heuristically_cacheable(static_cast<uint16_t>(status)));
  }
  CHECK_FALSE(heuristic(302, {{"Last-Modified", kDayAgo}}));
  CHECK(heuristic(302, {{"Last-Modified", kDayAgo}, {"Cache-Control", "public"}}) == 8640s);
}
