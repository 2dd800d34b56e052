#include "base/arena_text.h"

#include <doctest/doctest.h>

#include <string>

namespace weir {
namespace {

struct Bench {
  BlockPool pool{8 * 1024};
  Arena arena{pool};
};

}  // namespace

TEST_CASE("arena text: is empty before anything is written, and takes nothing") {
  Bench bench;
  ArenaText text(bench.arena);
  text << "" << std::string_view{};
  CHECK(text.empty());
  CHECK(text.text().empty());
  CHECK(bench.arena.footprint() == 0);
}

TEST_CASE("arena text: grows in place while nothing follows it") {
  Bench bench;
  ArenaText text(bench.arena);
  text << "abc";
  const auto* const before = text.text().data();
  text << "def";
  CHECK(text.text() == "abcdef");
  CHECK(text.text().data() == before);
}

TEST_CASE("arena text: moves when something else follows it, and leaves that alone") {
  Bench bench;
  ArenaText text(bench.arena);
  text << "abc";
  const auto before = text.text();
  const auto other = bench.arena.copy("xyz");
  text << "def";
  CHECK(text.text() == "abcdef");
  CHECK(before == "abc");
  CHECK(other == "xyz");
}

TEST_CASE("arena text: with room from the start it never moves") {
  Bench bench;
  ArenaText text(bench.arena, 1000);
  text << "a";
  const auto* const before = text.text().data();
  for (int i = 1; i < 1000; ++i) {
    bench.arena.copy("between");
    text << "a";
  }
  CHECK(text.text() == std::string(1000, 'a'));
  CHECK(text.text().data() == before);
}

TEST_CASE("arena text: of many pieces, with others between them, takes at most 4 times its size") {
  Bench bench;
  ArenaText text(bench.arena);
  std::string expected;
  size_t others = 0;
  for (int i = 0; i < 60'000; ++i) {
    const char piece = static_cast<char>('a' + i % 26);
    text << std::string_view(&piece, 1);
    expected += piece;
    if (i % 100 == 0) others += bench.arena.copy("0123456789").size();
  }
  CHECK(text.text() == expected);
  CHECK(bench.arena.footprint() <= 4 * expected.size() + others + 2 * bench.pool.block_size());
}

}  // namespace weir
