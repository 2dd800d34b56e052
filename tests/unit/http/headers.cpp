#include "http/headers.h"

#include <doctest/doctest.h>

#include <string>

namespace weir::http {

namespace {

struct Bench {
  BlockPool pool{16 * 1024};
  Arena arena{pool};
  Headers headers{arena};
};

}  // namespace

TEST_CASE("headers: every interned name is found again, in any case, and no longer one") {
  constexpr auto kLast = Field::x_request_id;
  for (int i = 1; i <= static_cast<int>(kLast); ++i) {
    const auto field = static_cast<Field>(i);
    std::string name(name_of(field));
    CAPTURE(name);
    REQUIRE_FALSE(name.empty());
    CHECK(field_of(name) == field);
    for (char& c : name) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 0x20) : c;
    CHECK(field_of(name) == field);
    CHECK(field_of(name + "x") == Field::other);
    name.back() = '!';
    CHECK(field_of(name) == Field::other);
  }
  CHECK(field_of("") == Field::other);
  CHECK(field_of(std::string(300, 'a')) == Field::other);
  CHECK(name_of(Field::other) == "");
}

TEST_CASE("headers: set replaces the first line and removes the others") {
  Bench bench;
  bench.headers.add("A", "1");
  bench.headers.add("b", "2");
  bench.headers.add("a", "3");
  bench.headers.set("a", "4");
  CHECK(bench.headers.size() == 2);
  CHECK(bench.headers.get("A") == "4");
  bench.headers.set("Host", "h");
  CHECK(bench.headers.get(Field::host) == "h");
}

TEST_CASE("headers: lines keep their order through growth and removal") {
  Bench bench;
  const std::string names = "abcdefghijklmnopqrstuvwxyz";
  for (size_t i = 0; i < names.size(); ++i) bench.headers.add(std::string_view(names).substr(i, 1), "v");
  CHECK(bench.headers.remove("C") == 1);
  CHECK(bench.headers.remove(Field::host) == 0);
  std::string left;
  for (const Header& header : bench.headers) left += header.name;
  CHECK(left == "abdefghijklmnopqrstuvwxyz");
}

TEST_CASE("headers: the values of one name are joined with commas") {
  Bench bench;
  bench.headers.add("Via", "a");
  bench.headers.add("X", "b");
  CHECK(bench.headers.joined("via") == "a");
  bench.headers.add("VIA", "c");
  bench.headers.add("via", "");
  CHECK(bench.headers.joined("via") == "a, c, ");
  CHECK_FALSE(bench.headers.joined("y"));
  CHECK(bench.headers.count(Field::via) == 3);
}

TEST_CASE("headers: a deep copy outlives the first arena") {
  BlockPool pool(16 * 1024);
  Arena kept(pool);
  Headers copy(kept);
  {
    Arena arena(pool);
    Headers headers(arena);
    headers.add(arena.copy("Host"), arena.copy("a"));
    copy = headers.copy(kept, Headers::Deep::yes);
  }
  CHECK(copy.get(Field::host) == "a");
}

TEST_CASE("headers: two spellings that backends read as one are one Field, and two names") {
  Bench bench;
  Headers& headers = bench.headers;
  headers.add("X-Original-URL", "/a");
  headers.set("x-rewrite-url", "/b");
  headers.set("X-Remote-User", "ann");
  CHECK(field_of("X-Rewrite-Url") == Field::x_original_url);
  CHECK(field_of("x-remote-user") == Field::remote_user);
  CHECK(name_of(Field::x_original_url) == "x-original-url");
  CHECK(name_of(Field::remote_user) == "remote-user");
  CHECK(headers.get("x-original-url") == "/a");
  CHECK(headers.get("X-Rewrite-URL") == "/b");
  CHECK(headers.remove(Field::x_original_url) == 2);
}

}  // namespace weir::http
