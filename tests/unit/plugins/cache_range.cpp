#include "plugins/cache/rules/range.h"

#include <doctest/doctest.h>

using namespace weir::plugins;
using Kind = RangeAsked::Kind;

namespace {

bool is_part(std::string_view field, uint64_t total, uint64_t first, uint64_t last) {
  const auto asked = asked_range(field, total);
  return asked.kind == Kind::part && asked.range == ByteRange{first, last};
}

}  // namespace

TEST_CASE("cache range: both ends are included (RFC 9110 section 14.1.2)") {
  CHECK(is_part("bytes=0-499", 10000, 0, 499));
  CHECK(is_part("bytes=500-999", 10000, 500, 999));
  CHECK(is_part("bytes=0-0", 10000, 0, 0));
  CHECK(is_part("bytes=9999-9999", 10000, 9999, 9999));
  CHECK(asked_range("bytes=500-999", 10000).range.size() == 500);
}

TEST_CASE("cache range: an end behind the last byte is the last byte (RFC 9110 section 14.1.2)") {
  CHECK(is_part("bytes=9500-", 10000, 9500, 9999));
  CHECK(is_part("bytes=0-", 10000, 0, 9999));
  CHECK(is_part("bytes=9500-10000", 10000, 9500, 9999));
  CHECK(is_part("bytes=0-99999999999999999999999", 10000, 0, 9999));
}

TEST_CASE("cache range: a suffix counts from the end (RFC 9110 section 14.1.2)") {
  CHECK(is_part("bytes=-500", 10000, 9500, 9999));
  CHECK(is_part("bytes=-1", 1, 0, 0));
  CHECK(is_part("bytes=-10001", 10000, 0, 9999));
  CHECK(is_part("bytes=-99999999999999999999999", 10000, 0, 9999));
}

TEST_CASE("cache range: a range behind the end or of nothing can't be satisfied (RFC 9110 section 15.5.17)") {
  for (const char* field : {"bytes=10000-", "bytes=10000-10001", "bytes=99999999999999999999-", "bytes=-0"}) {
    CAPTURE(field);
    CHECK(asked_range(field, 10000).kind == Kind::not_satisfiable);
  }
}

TEST_CASE("cache range: of no bytes at all no part can be told") {
  CHECK(asked_range("bytes=0-", 0).kind == Kind::not_satisfiable);
  CHECK(asked_range("bytes=0-5", 0).kind == Kind::not_satisfiable);
  CHECK(asked_range("bytes=-0", 0).kind == Kind::not_satisfiable);
  CHECK(asked_range("bytes=-5", 0).kind == Kind::whole);
}

TEST_CASE("cache range: the largest total works") {
  CHECK(is_part("bytes=0-", UINT64_MAX, 0, UINT64_MAX - 1));
  CHECK(is_part("bytes=-18446744073709551615", UINT64_MAX, 0, UINT64_MAX - 1));
  CHECK(asked_range("bytes=18446744073709551615-", UINT64_MAX).kind == Kind::not_satisfiable);
}

TEST_CASE(
    "cache range: the unit's case and empty members of the list don't matter (RFC 9110 sections 14.1 and 5.6.1)") {
  CHECK(is_part("Bytes=1-2", 10, 1, 2));
  CHECK(is_part("bytes=, 1-2 ,", 10, 1, 2));
}

TEST_CASE("cache range: what can't be read, or asks for several ranges, gets all (RFC 9110 section 14.2)") {
  for (const char* field :
       {"", "bytes", "bytes=", "bytes=-", "bytes=5", "bytes=5-4", "bytes=a-5", "bytes=5-a", "bytes=1-2-3", "bytes=--1",
        "bytes=+1-2", "bytes=1 - 2", "bytes =1-2", "items=1-2", "bytes=1-2,4-5", "bytes=1-2,x", "bytes=0x1-2",
        "bytes=99999999999999999999-5", "bytes=1-2;q=1"}) {
    CAPTURE(field);
    CHECK(asked_range(field, 10000).kind == Kind::whole);
  }
}

TEST_CASE("cache range: a range with a first byte is known before the total is") {
  const auto closed = open_range("bytes=5-9");
  REQUIRE(closed);
  CHECK(closed->first == 5);
  CHECK(closed->last == 9);
  const auto open = open_range("bytes=5-");
  REQUIRE(open);
  CHECK(open->first == 5);
  CHECK_FALSE(open->last);
  for (const char* field : {"", "bytes=-5", "bytes=9-5", "bytes=1-2,3-4", "items=1-2"}) CHECK_FALSE(open_range(field));
}
