#include <doctest/doctest.h>

#include "http/cookie.h"
#include "http/date.h"
#include "http/message.h"
#include "http/query.h"

namespace weir::http {

namespace {

constexpr DateTime kBirth{std::chrono::seconds(784111777)};  // RFC 9110's example

std::string_view text_of(const std::array<char, kDateLength>& text) { return {text.data(), text.size()}; }

}  // namespace

TEST_CASE("date: a time is written as IMF-fixdate") {
  CHECK(text_of(format_date(kBirth)) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(text_of(format_date(DateTime{})) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(text_of(format_date(DateTime{std::chrono::seconds(1709164799)})) == "Wed, 28 Feb 2024 23:59:59 GMT");
}

TEST_CASE("date: all three forms are read") {
  CHECK(parse_date("Sun, 06 Nov 1994 08:49:37 GMT") == kBirth);
  CHECK(parse_date("Sunday, 06-Nov-94 08:49:37 GMT") == kBirth);
  CHECK(parse_date("Sun Nov  6 08:49:37 1994") == kBirth);
}

TEST_CASE("date: the case of letters doesn't matter") {
  CHECK(parse_date("sun, 06 nov 1994 08:49:37 gmt") == kBirth);
  CHECK(parse_date("SUN, 06 NOV 1994 08:49:37 GMT") == kBirth);
  CHECK(parse_date("SUNDAY, 06-nov-94 08:49:37 gmt") == kBirth);
  CHECK(parse_date("sun nov  6 08:49:37 1994") == kBirth);
}

TEST_CASE("date: what is no date is nothing") {
  for (const char* text :
       {"", "0", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nox 1994 08:49:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ", "Sunday, 06-Nov-94", "xxx Nov  6 08:49:37 1994"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_date(text));
  }
}

TEST_CASE("date: the cache follows the second") {
  DateCache cache;
  CHECK(cache.at(DateTime{}) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(cache.at(kBirth) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(cache.at(kBirth + std::chrono::seconds(1)) == "Sun, 06 Nov 1994 08:49:38 GMT");
}

TEST_CASE("cookie: the first of that very name is found, over all lines") {
  BlockPool pool(16 * 1024);
  Arena arena(pool);
  Headers headers(arena);
  headers.add("Cookie", "a=1; b=\"2\";c = 3 ; empty=; bare");
  headers.add("X", "d=0");
  headers.add("cookie", "d=4=5; a=9");
  CHECK(find_cookie(headers, "a") == "1");
  CHECK(find_cookie(headers, "b") == "2");
  CHECK(find_cookie(headers, "c") == "3");
  CHECK(find_cookie(headers, "d") == "4=5");
  CHECK(find_cookie(headers, "empty") == "");
  CHECK_FALSE(find_cookie(headers, "bare"));
  CHECK_FALSE(find_cookie(headers, "A"));
}

TEST_CASE("query: a parameter is found by its plain name and decoded at wish") {
  BlockPool pool(16 * 1024);
  Arena arena(pool);
  constexpr std::string_view kQuery = "a=1&b+c=x%20y+z&%64=%zz&bare&=empty&a=2";
  CHECK(find_parameter(kQuery, "a") == "1");
  CHECK(find_parameter(kQuery, "b c") == "x%20y+z");
  CHECK(find_parameter(kQuery, "d") == "%zz");
  CHECK(find_parameter(kQuery, "bare") == "");
  CHECK(find_parameter(kQuery, "") == "empty");
  CHECK_FALSE(find_parameter(kQuery, "e"));
  CHECK_FALSE(find_parameter("", "a"));
  CHECK(decode_parameter("x%20y+z", arena) == "x y z");
  CHECK(decode_parameter("%zz%4", arena) == "%zz%4");
  CHECK(decode_parameter("plain", arena) == "plain");
}

TEST_CASE("message: methods are known by their exact name") {
  for (int i = 0; i < static_cast<int>(Method::other); ++i) {
    const auto method = static_cast<Method>(i);
    CHECK(method_of(name_of(method)) == method);
  }
  CHECK(method_of("get") == Method::other);
  CHECK(method_of("") == Method::other);
  CHECK(reason_of(404) == "Not Found");
  CHECK(reason_of(799) == "");
}

}  // namespace weir::http
