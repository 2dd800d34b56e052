#include "base/output.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "base/poison.h"

#ifdef WEIR_HAS_ASAN
#include <sanitizer/allocator_interface.h>
#endif

namespace weir {
namespace {

Slice slice_of(BlockPool& pool, std::string_view text) {
  BlockRef block = pool.take();
  std::memcpy(block->bytes, text.data(), text.size());
  const std::string_view bytes(block->bytes, text.size());
  return {std::move(block), bytes};
}

struct Bench {
  std::string text() const {
    std::vector<iovec> vectors(10'000);
    vectors.resize(output.gather(vectors));
    std::string all;
    for (const auto& vector : vectors) all.append(static_cast<const char*>(vector.iov_base), vector.iov_len);
    return all;
  }
  size_t pieces() const {
    std::vector<iovec> vectors(10'000);
    return output.gather(vectors);
  }

  BlockPool own{1024};
  BlockPool foreign{8 * 1024};
  Output output{own};
};

/// An Output and the text that it should be, under random use.
struct Race : Bench {
  explicit Race(unsigned seed) : chance(seed) {}
  size_t any(size_t most) { return chance() % (most + 1); }
  std::string any_text(size_t most) { return std::string(any(most), static_cast<char>('a' + any(25))); }

  void step() {
    switch (any(7)) {
      case 0: return append_text(any_text(30));
      case 1: return append_text(any_text(3000));
      case 2: return append_slice(any_text(3000));
      case 3: return append_slice(any_text(8000));
      case 4: return append_number(chance());
      case 5: return consume(any(expected.size()));
      case 6: return output.unpin();
      case 7: return take_front();
    }
  }
  void append_text(const std::string& text) {
    output.append(std::string_view(text));
    expected += text;
  }
  void append_slice(const std::string& text) {
    output.append(slice_of(foreign, text));
    expected += text;
  }
  void append_number(uint64_t number) {
    output.append_decimal(number);
    expected += std::to_string(number);
  }
  void consume(size_t count) {
    output.consume(count);
    expected.erase(0, count);
  }
  void take_front() {
    if (output.is_empty()) return;
    const Slice front = output.take_front();
    CHECK(front.view() == std::string_view(expected).substr(0, front.size()));
    expected.erase(0, front.size());
  }

  std::mt19937 chance;
  std::string expected;
};

}  // namespace

TEST_CASE("output: holds no memory while empty") {
  Bench bench;
  CHECK(bench.output.is_empty());
  bench.output.append(std::string_view("hello"));
  bench.output.append(slice_of(bench.foreign, "there"));
  bench.output.consume(bench.output.bytes());
  CHECK(bench.output.is_empty());
  CHECK(bench.own.in_use() == 0);
  CHECK(bench.foreign.in_use() == 0);
}

TEST_CASE("output: small pieces join to one") {
  Bench bench;
  bench.output.append(std::string_view("HTTP/1.1 "));
  bench.output.append_decimal(200);
  bench.output.append(' ');
  bench.output.append_hex(0xbeef);
  CHECK(bench.text() == "HTTP/1.1 200 beef");
  CHECK(bench.pieces() == 1);
}

TEST_CASE("output: a short slice is copied behind what is there, a long one passed on by reference") {
  Bench bench;
  bench.output.append(std::string_view("head "));
  bench.output.append(slice_of(bench.foreign, "short"));
  CHECK(bench.pieces() == 1);
  CHECK(bench.foreign.in_use() == 0);
  bench.output.append(slice_of(bench.foreign, std::string(4000, 'x')));
  CHECK(bench.pieces() == 2);
  CHECK(bench.foreign.in_use() == 1);
}

TEST_CASE("output: gather fills no more vectors than it is given") {
  Bench bench;
  for (int i = 0; i < 5; ++i) bench.output.append(slice_of(bench.foreign, std::string(3000, 'x')));
  std::vector<iovec> two(2);
  CHECK(bench.output.gather(two) == 2);
}

TEST_CASE("output: what was sent in part goes on in the middle, with its block") {
  Bench bench;
  bench.output.append(slice_of(bench.foreign, std::string(3000, 'a')));
  bench.output.append(slice_of(bench.foreign, std::string(3000, 'b')));
  bench.output.consume(3001);
  CHECK(bench.text() == std::string(2999, 'b'));
  CHECK(bench.foreign.in_use() == 1);
}

TEST_CASE("output: unpin lets small slices' blocks go and keeps the bytes") {
  Bench bench;
  bench.output.append(slice_of(bench.foreign, "few bytes of a large block"));
  CHECK(bench.foreign.in_use() == 1);
  bench.output.unpin();
  CHECK(bench.foreign.in_use() == 0);
  CHECK(bench.text() == "few bytes of a large block");
  bench.output.append(std::string_view("!"));
  CHECK(bench.text() == "few bytes of a large block!");
}

TEST_CASE("output: the front can be taken piece by piece") {
  Bench bench;
  bench.output.append(slice_of(bench.foreign, std::string(3000, 'a')));
  bench.output.append(slice_of(bench.foreign, "b"));
  CHECK(bench.output.front().size() == 3000);
  CHECK(bench.output.take_front().size() == 3000);
  CHECK(bench.output.take_front().view() == "b");
  CHECK(bench.output.is_empty());
}

TEST_CASE("output: is a text, whatever is done to it") {
  for (unsigned seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    Race race(seed);
    for (int i = 0; i < 300; ++i) {
      race.step();
      REQUIRE(race.output.bytes() == race.expected.size());
      REQUIRE(race.text() == race.expected);
    }
    race.output.clear();
    CHECK(race.own.in_use() == 0);
    CHECK(race.foreign.in_use() == 0);
  }
}

#ifdef WEIR_HAS_ASAN
TEST_CASE("output: one that never runs empty doesn't grow with what has gone through it") {
  Bench bench;
  const std::string piece(3000, 'x');
  for (int i = 0; i < 3; ++i) bench.output.append(slice_of(bench.foreign, piece));
  const size_t before = __sanitizer_get_current_allocated_bytes();
  for (int i = 0; i < 200'000; ++i) {
    bench.output.append(slice_of(bench.foreign, piece));
    bench.output.take_front();
  }
  CHECK(__sanitizer_get_current_allocated_bytes() < before + 64 * 1024);
}
#endif

}  // namespace weir
