#include "plugins/cache/rules/vary.h"

#include <doctest/doctest.h>

#include "unit/plugins/cache_fields.h"

using namespace weir;
using namespace weir::plugins;

namespace {

constexpr size_t kMost = 3;

std::string normal(std::string_view name, std::string_view value) {
  Fields memory{};
  return std::string(normalized(name, value, memory.arena));
}
std::string codings(std::string_view value) { return normal("Accept-Encoding", value); }

std::optional<Selection> select(Fields::Lines request, Fields::Lines response) {
  Fields fields(request);
  return selection_of(fields, Fields(response), kMost, fields.arena);
}

bool matches(const Selection& selection, Fields::Lines request) {
  Fields fields(request);
  return selection.matches(fields, fields.arena);
}

/// Would a response to the one that varies by this field do for the other?
bool are_alike(std::string_view name, std::string_view one, std::string_view other) {
  return matches(*select({{name, one}}, {{"Vary", name}}), {{name, other}});
}

}  // namespace

TEST_CASE(
    "cache vary: the fields that Vary names are kept once each, sorted, with their values (RFC 9111 section 4.1)") {
  const auto selection = select({{"B", "2"}, {"X", "9"}}, {{"Vary", "b, A"}, {"vary", "a,B"}});
  REQUIRE(selection);
  REQUIRE(selection->members.size() == 2);
  CHECK(selection->members[0] == Selection::Member{"a", "", true});
  CHECK(selection->members[1] == Selection::Member{"b", "2", false});
}

TEST_CASE("cache vary: without Vary any request fits") {
  const auto selection = select({{"A", "1"}}, {});
  REQUIRE(selection);
  CHECK(selection->members.empty());
  CHECK(matches(*selection, {}));
  CHECK(matches(*selection, {{"A", "2"}}));
}

TEST_CASE("cache vary: Vary: * fits no request (RFC 9111 section 4.1)") {
  CHECK_FALSE(select({}, {{"Vary", "*"}}));
  CHECK_FALSE(select({}, {{"Vary", "a"}, {"Vary", "b, *"}}));
}

TEST_CASE("cache vary: more names than are allowed are too many, the same one again isn't") {
  CHECK(select({}, {{"Vary", "a, b, c, A, B"}}));
  CHECK_FALSE(select({}, {{"Vary", "a, b"}, {"Vary", "c, d"}}));
}

TEST_CASE("cache vary: a request fits when all fields have the same values (RFC 9111 section 4.1)") {
  const auto selection = select({{"A", "1"}, {"B", "2"}}, {{"Vary", "a, b"}});
  REQUIRE(selection);
  CHECK(matches(*selection, {{"b", "2"}, {"a", "1"}, {"c", "3"}}));
  CHECK_FALSE(matches(*selection, {{"A", "1"}}));
  CHECK_FALSE(matches(*selection, {{"A", "1"}, {"B", "3"}}));
}

TEST_CASE("cache vary: what is absent fits what is absent alone (RFC 9111 section 4.1)") {
  const auto absent = select({}, {{"Vary", "a"}});
  CHECK(matches(*absent, {}));
  CHECK_FALSE(matches(*absent, {{"A", ""}}));
  const auto empty = select({{"A", ""}}, {{"Vary", "a"}});
  CHECK(matches(*empty, {{"A", ""}}));
  CHECK_FALSE(matches(*empty, {}));
}

TEST_CASE("cache vary: several lines are as good as one, whatever spaces its list has (RFC 9111 section 4.1)") {
  const auto selection = select({{"Accept-Language", "1"}, {"Accept-Language", "2"}}, {{"Vary", "accept-language"}});
  for (const char* text : {"1, 2", "1,2", "1 ,\t2", " 1, 2 ", "1,, 2"}) {
    CAPTURE(text);
    CHECK(matches(*selection, {{"accept-language", text}}));
  }
  CHECK_FALSE(matches(*selection, {{"accept-language", "2, 1"}}));
  CHECK_FALSE(matches(*selection, {{"accept-language", "1 2"}}));
}

TEST_CASE("cache vary: spaces are evened out between the parts of a list and nowhere else") {
  for (const char* name : {"Accept", "accept-charset", "Accept-Language", "prefer"}) {
    CAPTURE(name);
    CHECK(normal(name, "x , y,z") == "x, y, z");
    CHECK(normal(name, "x  y") == "x  y");
    CHECK(normal(name, ",") == "");
    CHECK(normal(name, R"("x,y" ,"\",z")") == R"("x,y", "\",z")");
    CHECK(normal(name, R"(x="a,b)") == R"(x="a,b)");
  }
  CHECK(normal("Cookie", "a=1,2") == "a=1,2");
  CHECK(normal("User-Agent", "x ,y") == "x ,y");
}

TEST_CASE("cache vary: a field that isn't known as a list is compared byte by byte (RFC 9111 section 4.1)") {
  for (const char* text : {"/a, b", "/a,,b", "/a ,b", "/a,b,"}) {
    CAPTURE(text);
    CHECK_FALSE(are_alike("X-Path", "/a,b", text));
  }
  CHECK_FALSE(are_alike("X-Client-Cert-DN", "cn=a,ou=b", "cn=a, ou=b"));
  CHECK_FALSE(are_alike("Cache-Control", "a,b", "a, b"));
  CHECK(are_alike("X-Path", "/a,b", "/a,b"));
}

TEST_CASE("cache vary: a value that is normal stays where it is") {
  Fields memory{};
  for (const std::string_view value : {"", "x", "x, y", "text/html;q=0.8, \"a,b\""}) {
    CHECK(normalized("accept", value, memory.arena).data() == value.data());
  }
}

TEST_CASE("cache vary: Accept-Encoding is compared as a set of codings (RFC 9110 section 12.5.3)") {
  CHECK(codings("gzip, br") == "br,gzip");
  CHECK(codings("br;q=0.5 , GZIP ; q=1.0") == "br,gzip");
  CHECK(codings("gzip,gzip") == "gzip");
  CHECK(codings("x-gzip, x-compress") == "compress,gzip");
  CHECK(codings("") == "");
  CHECK(codings("*") == "*");
  CHECK(are_alike("Accept-Encoding", "gzip, deflate, br", "br;q=1,deflate,x-gzip"));
  CHECK_FALSE(are_alike("Accept-Encoding", "gzip, br", "gzip"));
  CHECK_FALSE(are_alike("Accept-Encoding", "gzip", ""));
}

TEST_CASE("cache vary: a coding with weight 0 isn't taken (RFC 9110 section 12.4.2)") {
  for (const char* weight : {";q=0", "; q=0.0", " ;Q=0.000", ";q=0."})
    CHECK(codings("br, gzip" + std::string(weight)) == "br");
  CHECK(codings("gzip;q=0.001") == "gzip");
  CHECK(codings("gzip;q=0") == "");
}

TEST_CASE("cache vary: refusals of what would be taken otherwise are kept (RFC 9110 section 12.5.3)") {
  CHECK(codings("gzip, identity;q=0") == "gzip,identity;q=0");
  CHECK(codings("gzip, *;q=0") == "*;q=0,gzip");
  CHECK(codings("gzip;q=0, *") == "*,gzip;q=0");
  CHECK_FALSE(are_alike("Accept-Encoding", "gzip", "gzip, identity;q=0"));
  CHECK_FALSE(are_alike("Accept-Encoding", "*", "*, gzip;q=0"));
}

TEST_CASE("cache vary: a list of very many codings is compared as it is") {
  std::string many = "c0";
  for (int i = 1; i < 40; ++i) many += ",c" + std::to_string(i);
  CHECK(are_alike("Accept-Encoding", many, many));
  CHECK_FALSE(are_alike("Accept-Encoding", many, many + ",c1"));
}

TEST_CASE("cache vary: normalising what is normal changes nothing") {
  for (const char* text : {"gzip, br", "gzip, *;q=0", "*, br;q=0", ";q=1, x", "a b, C", "identity;q=0"}) {
    CHECK(codings(codings(text)) == codings(text));
  }
}
