#include "base/arena.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "base/poison.h"

namespace weir {
namespace {

struct Bench {
  BlockPool pool{8 * 1024};
  Arena arena{pool};
};

bool is_aligned(const void* memory, size_t alignment) { return reinterpret_cast<uintptr_t>(memory) % alignment == 0; }

}  // namespace

TEST_CASE("arena: borrows nothing before it is asked") {
  const Bench bench;
  CHECK(bench.arena.footprint() == 0);
  CHECK(bench.pool.in_use() == 0);
}

TEST_CASE("arena: what it bumps is aligned as asked") {
  Bench bench;
  for (const size_t alignment : {1u, 2u, 8u, 16u, 64u}) {
    bench.arena.bump(1, 1);
    CHECK(is_aligned(bench.arena.bump(8, alignment), alignment));
    CHECK(is_aligned(bench.arena.bump(100'000, alignment), alignment));
  }
}

TEST_CASE("arena: gives all its blocks back when it goes") {
  BlockPool pool(8 * 1024);
  {
    Arena arena(pool);
    for (int i = 0; i < 100; ++i) std::memset(arena.bump(1000), 'x', 1000);
    arena.bump(100'000);
    CHECK(pool.in_use() >= 12);
  }
  CHECK(pool.in_use() == 0);
}

TEST_CASE("arena: what is too large for a block comes from the system, whole") {
  Bench bench;
  auto* large = static_cast<char*>(bench.arena.bump(1 << 20));
  std::memset(large, 'x', 1 << 20);
  CHECK(bench.pool.in_use() == 0);
  CHECK(bench.arena.footprint() >= 1 << 20);
}

TEST_CASE("arena: copies outlive what they were made from") {
  Bench bench;
  std::string_view copy;
  {
    const std::string text(100, 'a');
    copy = bench.arena.copy(text);
  }
  CHECK(copy == std::string(100, 'a'));
  CHECK(bench.arena.copy("").empty());
}

TEST_CASE("arena: concat joins parts, empty ones too") {
  Bench bench;
  CHECK(bench.arena.concat({"a", "", "bc", std::string_view{}}) == "abc");
  CHECK(bench.arena.concat({}).empty());
}

TEST_CASE("arena: memory given back serves the next of its size") {
  Bench bench;
  void* first = bench.arena.take(200);
  void* other = bench.arena.take(500);
  bench.arena.give(first, 200);
  bench.arena.give(other, 500);
  CHECK(bench.arena.take(193) == first);  // the same class of 64 bytes
  CHECK(bench.arena.take(500) == other);
}

TEST_CASE("arena: a million takes and gives leave its footprint unchanged") {
  Bench bench;
  bench.arena.give(bench.arena.take(300), 300);
  const size_t before = bench.arena.footprint();
  for (int i = 0; i < 1'000'000; ++i) bench.arena.give(bench.arena.take(300), 300);
  CHECK(bench.arena.footprint() == before);
}

TEST_CASE("arena: a frame of many pages is taken and given back like any other") {
  Bench bench;
  void* huge = bench.arena.take(100'000);
  std::memset(huge, 'x', 100'000);
  bench.arena.give(huge, 100'000);
  CHECK(bench.arena.footprint() == 0);
}

#ifdef WEIR_HAS_ASAN
TEST_CASE("arena: memory given back can't be touched unseen") {
  Bench bench;
  void* frame = bench.arena.take(200);
  bench.arena.give(frame, 200);
  CHECK(__asan_address_is_poisoned(static_cast<char*>(frame) + 100));
}
#endif

}  // namespace weir
