#include "base/buffer.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/packer.h"
#include "base/poison.h"

namespace weir {
namespace {

Slice slice_of(BlockPool& pool, std::string_view text) {
  BlockRef block = pool.take();
  std::memcpy(block->bytes, text.data(), text.size());
  const std::string_view bytes(block->bytes, text.size());
  return {std::move(block), bytes};
}

}  // namespace

TEST_CASE("block pool: the block given back last is the next") {
  BlockPool pool(1024);
  BlockRef first = pool.take();
  BlockRef second = pool.take();
  Block* last = second.get();
  first = {};
  second = {};
  CHECK(pool.take().get() == last);
}

TEST_CASE("block pool: counts what somebody holds") {
  BlockPool pool(1024);
  BlockRef block = pool.take();
  const BlockRef again = block;
  CHECK(block.is_shared());
  CHECK(pool.in_use() == 1);
  block = {};
  CHECK_FALSE(again.is_shared());
  CHECK(pool.in_use() == 1);
}

TEST_CASE("block pool: keeps no more free blocks than it was told") {
  BlockPool pool(1024, 1);
  BlockRef first = pool.take();
  BlockRef second = pool.take();
  Block* kept = first.get();
  first = {};
  second = {};
  CHECK(pool.in_use() == 0);
  CHECK(pool.take().get() == kept);
}

TEST_CASE("block pool: what nobody has needed between two trims is freed, down to what may be kept") {
  BlockPool pool(1024, 100);
  {
    std::vector<BlockRef> flood;
    for (int i = 0; i < 50; ++i) flood.push_back(pool.take());
  }
  CHECK(pool.trim(8 * 1024) == 0);  // all were needed a moment ago
  CHECK(pool.free_bytes() == 50 * 1024);
  CHECK(pool.trim(8 * 1024) == 42 * 1024);
  CHECK(pool.free_bytes() == 8 * 1024);
  CHECK(pool.trim(8 * 1024) == 0);
}

TEST_CASE("block pool: blocks that come and go all the time aren't freed") {
  BlockPool pool(1024, 100);
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 10; ++i) {
      const BlockRef first = pool.take();
      const BlockRef second = pool.take();
    }
    CHECK(pool.trim(0) == 0);
    CHECK(pool.free_bytes() == 2 * 1024);
  }
}

TEST_CASE("block pool: the warmest blocks are kept") {
  BlockPool pool(1024, 100);
  BlockRef first = pool.take();
  BlockRef second = pool.take();
  Block* const last = second.get();
  first = {};
  second = {};
  pool.trim(1024);
  CHECK(pool.trim(1024) == 1024);
  CHECK(pool.take().get() == last);
}

TEST_CASE("block pool: blocks that were freed at once for want of room count as freed") {
  BlockPool pool(1024, 1);
  {
    const BlockRef first = pool.take();
    const BlockRef second = pool.take();
  }
  CHECK(pool.trim(1024) == 1024);
}

TEST_CASE("slice: keeps its block alive, as do its parts") {
  BlockPool pool(1024);
  Slice part;
  {
    const Slice whole = slice_of(pool, "hello, world");
    part = whole.sub(7);
  }
  CHECK(part.view() == "world");
  CHECK(pool.in_use() == 1);
  part.remove_prefix(1);
  CHECK(part.view() == "orld");
  part = Slice();
  CHECK(pool.in_use() == 0);
}

TEST_CASE("slice: a literal needs no block") {
  const Slice literal = Slice::literal("for ever");
  CHECK(literal.view() == "for ever");
  CHECK_FALSE(literal.block());
  CHECK(literal.sub(4, 2).view() == "ev");
}

#ifdef WEIR_HAS_ASAN
TEST_CASE("block pool: a free block can't be touched unseen") {
  BlockPool pool(1024);
  BlockRef block = pool.take();
  char* bytes = block->bytes;
  block = {};
  CHECK(__asan_address_is_poisoned(bytes));
  block = pool.take();
  CHECK_FALSE(__asan_address_is_poisoned(bytes));
}
#endif

TEST_CASE("packer: short texts lie one behind another, in as few blocks as they need") {
  BlockPool pool(64);
  Packer packer(pool);
  const Slice first = packer.pack("one");
  const Slice second = packer.pack("two");
  CHECK(first.data() + first.size() == second.data());
  CHECK(pool.in_use() == 1);
  const std::string rest(60, 'x');
  CHECK(packer.pack(rest).view() == rest);
  CHECK(pool.in_use() == 2);
  CHECK(first.view() == "one");
  packer.clear();
  CHECK(pool.in_use() == 1);  // what the slices hold
}

}  // namespace weir
