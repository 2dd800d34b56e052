#include "plugins/cache/rules/conditions.h"

#include <doctest/doctest.h>

#include "unit/plugins/cache_fields.h"

using namespace weir;
using namespace weir::plugins;

namespace {

constexpr std::string_view kModified = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr std::string_view kBefore = "Sun, 06 Nov 1994 08:49:36 GMT";
constexpr std::string_view kAfter = "Sun, 06 Nov 1994 08:49:38 GMT";
constexpr Validators kBoth{"\"a\"", kModified, kAfter};

bool is_same(Fields::Lines request, const Validators& stored = kBoth) {
  return is_not_modified(Fields(request), stored);
}
bool none_match(std::string_view list, std::string_view etag = "\"a\"") {
  return is_same({{"If-None-Match", list}}, {etag, {}, {}});
}
bool modified_since(std::string_view since, const Validators& stored = kBoth) {
  return !is_same({{"If-Modified-Since", since}}, stored);
}
bool ranges(std::string_view if_range, const Validators& stored = kBoth) {
  return may_send_range(Fields({{"If-Range", if_range}}), stored);
}

}  // namespace

TEST_CASE("cache conditions: tags are compared as RFC 9110 section 8.8.3.2 has it") {
  CHECK_FALSE(matches_strongly("W/\"1\"", "W/\"1\""));
  CHECK_FALSE(matches_strongly("W/\"1\"", "\"1\""));
  CHECK_FALSE(matches_strongly("\"1\"", "\"2\""));
  CHECK(matches_strongly("\"1\"", "\"1\""));
  CHECK(matches_weakly("W/\"1\"", "W/\"1\""));
  CHECK_FALSE(matches_weakly("W/\"1\"", "W/\"2\""));
  CHECK(matches_weakly("W/\"1\"", "\"1\""));
  CHECK(matches_weakly("\"1\"", "\"1\""));
  CHECK_FALSE(matches_weakly("", ""));
  CHECK_FALSE(matches_weakly("W/", "W/"));
  CHECK_FALSE(matches_strongly("", ""));
  CHECK_FALSE(matches_weakly("w/\"1\"", "\"1\""));
}

TEST_CASE("cache conditions: validators are those that the response has") {
  const Fields fields({{"ETag", "W/\"x\""}, {"Date", kAfter}});
  const auto found = validators_of(fields);
  CHECK(found.etag == "W/\"x\"");
  CHECK(found.last_modified == "");
  CHECK(found.date == kAfter);
}

TEST_CASE("cache conditions: If-None-Match lists tags, compared weakly (RFC 9110 section 13.1.2)") {
  CHECK(none_match("\"a\""));
  CHECK(none_match("\"b\", W/\"a\""));
  CHECK(none_match("\"b\",\"c\" , \"a\"", "W/\"a\""));
  CHECK(none_match(", ,\"a\","));
  CHECK_FALSE(none_match("\"b\""));
  CHECK_FALSE(none_match(""));
  CHECK_FALSE(none_match("\"a\"", ""));
  CHECK(is_same({{"If-None-Match", "\"b\""}, {"If-None-Match", "\"a\""}}));
}

TEST_CASE("cache conditions: a tag may have commas and backslashes in it (RFC 9110 section 8.8.3)") {
  CHECK(none_match("\"b\", \"a,b\"", "\"a,b\""));
  CHECK_FALSE(none_match("\"x, \"a\", y\"", "\"y\""));
  CHECK_FALSE(none_match("\"b,\"a\",c\""));  // the tags "b," and ",c", and between them one without quotes
  CHECK(none_match("\"\\\", \"a\""));
  CHECK(none_match("\"\"", "\"\""));
  CHECK_FALSE(none_match("\"a"));
}

TEST_CASE("cache conditions: tags without quotes are compared as they are") {
  CHECK(none_match("abc", "abc"));
  CHECK(none_match("\"x\", abc , y", "abc"));
  CHECK_FALSE(none_match("abc", "\"abc\""));
}

TEST_CASE("cache conditions: If-None-Match: * means any response that there is (RFC 9110 section 13.1.2)") {
  CHECK(none_match("*"));
  CHECK(none_match(" * ", ""));
  CHECK_FALSE(none_match("\"*\""));
  CHECK_FALSE(none_match("*, \"b\""));
}

TEST_CASE("cache conditions: If-None-Match decides alone where it is there (RFC 9110 section 13.2.2)") {
  CHECK_FALSE(is_same({{"If-None-Match", "\"b\""}, {"If-Modified-Since", kAfter}}));
  CHECK(is_same({{"If-None-Match", "\"a\""}, {"If-Modified-Since", kBefore}}));
}

TEST_CASE("cache conditions: If-Modified-Since asks for what is newer (RFC 9110 section 13.1.3)") {
  CHECK(modified_since(kBefore));
  CHECK_FALSE(modified_since(kModified));
  CHECK_FALSE(modified_since(kAfter));
  CHECK_FALSE(modified_since("Sunday, 06-Nov-94 08:49:37 GMT"));
}

TEST_CASE("cache conditions: If-Modified-Since that is no date or comes twice is ignored (RFC 9110 section 13.1.3)") {
  CHECK(modified_since("tomorrow"));
  CHECK(modified_since(""));
  CHECK_FALSE(is_same({{"If-Modified-Since", kAfter}, {"If-Modified-Since", kAfter}}));
  CHECK_FALSE(is_same({}));
}

TEST_CASE("cache conditions: the Date stands in for Last-Modified (RFC 9111 section 4.3.2)") {
  CHECK(modified_since(kModified, {{}, {}, kAfter}));
  CHECK_FALSE(modified_since(kAfter, {{}, {}, kAfter}));
  CHECK(modified_since(kAfter, {{}, "unknown", kAfter}));
  CHECK(modified_since(kAfter, {}));
}

TEST_CASE("cache conditions: If-Range takes a tag strongly (RFC 9110 section 13.1.5)") {
  CHECK(may_send_range(Fields(Fields::Lines{}), kBoth));
  CHECK(ranges("\"a\""));
  CHECK_FALSE(ranges("\"b\""));
  CHECK_FALSE(ranges("W/\"a\""));
  CHECK_FALSE(ranges("W/\"a\"", {"W/\"a\"", {}, {}}));
  CHECK_FALSE(ranges("\"a\"", {"W/\"a\"", {}, {}}));
  CHECK_FALSE(ranges(""));
  CHECK_FALSE(ranges("a", {"a", {}, {}}));
  CHECK_FALSE(may_send_range(Fields({{"If-Range", "\"a\""}, {"If-Range", "\"a\""}}), kBoth));
}

TEST_CASE("cache conditions: If-Range takes a date that is Last-Modified and strong (RFC 9110 section 8.8.2.2)") {
  CHECK(ranges(kModified));
  CHECK(ranges("Sunday, 06-Nov-94 08:49:37 GMT"));
  CHECK_FALSE(ranges(kAfter));
  CHECK_FALSE(ranges(kBefore));
  CHECK_FALSE(ranges(kModified, {"\"a\"", kModified, kModified}));
  CHECK_FALSE(ranges(kModified, {"\"a\"", kModified, {}}));
  CHECK_FALSE(ranges(kAfter, {"\"a\"", {}, kAfter}));
}

TEST_CASE("cache conditions: If-Match and If-Unmodified-Since are for the origin (RFC 9111 section 4.3.2)") {
  CHECK(is_for_origin_alone(Fields({{"If-Match", "*"}})));
  CHECK(is_for_origin_alone(Fields({{"if-unmodified-since", kAfter}})));
  CHECK_FALSE(
      is_for_origin_alone(Fields({{"If-None-Match", "*"}, {"If-Range", "\"a\""}, {"If-Modified-Since", kAfter}})));
}

TEST_CASE(
    "cache conditions: validation asks with what is stored, not with what the client has (RFC 9111 section 4.3.1)") {
  const auto asked = [](const Validators& stored) {
    Fields request({{"Host", "a"},
                    {"If-None-Match", "\"b\""},
                    {"If-Modified-Since", kBefore},
                    {"Range", "bytes=0-1"},
                    {"If-Range", "\"b\""},
                    {"If-Match", "*"},
                    {"If-Unmodified-Since", kAfter},
                    {"Accept", "b"}});
    make_conditional(request, stored);
    return request.text();
  };
  const std::string others = "Host: a\nAccept: b\n";
  const std::string tag = "If-None-Match: \"a\"\n";
  const std::string date = "If-Modified-Since: " + std::string(kModified) + "\n";
  CHECK(asked(kBoth) == others + tag + date);
  CHECK(asked({"\"a\"", {}, kAfter}) == others + tag);
  CHECK(asked({{}, kModified, kAfter}) == others + date);
  CHECK(asked({{}, {}, kAfter}) == others);
}

TEST_CASE("cache conditions: without conditions and ranges the whole response comes") {
  Fields request({{"If-None-Match", "\"b\""}, {"Range", "bytes=0-1"}, {"if-range", "\"b\""}, {"Accept", "b"}});
  make_unconditional(request);
  CHECK(request.text() == "Accept: b\n");
}
