#include "exchange/replay_body.h"

#include <doctest/doctest.h>

#include "unit/task_bench.h"

namespace weir {
namespace {

struct Bench {
  explicit Bench(std::vector<std::string> pieces, size_t limit = 100)
      : source(&arena.make<PiecesBody>(arena, std::move(pieces))), buffer(arena, BodyPtr(source), limit) {}

  BlockPool blocks{8 * 1024};
  Arena arena{blocks};
  PiecesBody* source;
  ReplayBuffer buffer;
  ReplayBody body{arena, buffer};
};

/// The next `count` bytes, in whatever pieces they come.
std::string bytes_of(Body& body, size_t count) {
  std::string bytes;
  while (bytes.size() < count) bytes += next_of(body);
  return bytes;
}

}  // namespace

TEST_CASE("replay body: read once, it is its source") {
  Bench bench({"one", "two"});
  CHECK(bench.body.size() == bench.source->size());
  CHECK(next_of(bench.body) == "one");
  CHECK(next_of(bench.body) == "two");
  CHECK(next_of(bench.body) == "(end)");
}

TEST_CASE("replay body: takes from its source no sooner than it is read") {
  Bench bench({"one", "two"});
  CHECK(bench.source->reads == 0);
  next_of(bench.body);
  CHECK(bench.source->reads == 1);
}

TEST_CASE("replay body: rewound at its end, it gives all of it again, end and trailers too") {
  Bench bench({"one", "two"});
  http::Headers trailers(bench.arena);
  bench.source->trailers = &trailers;
  for (int i = 0; i < 3; ++i) {
    CHECK(bytes_of(bench.body, 6) == "onetwo");
    CHECK(finished(bench.body.read())->trailers == &trailers);
    REQUIRE(bench.body.rewind());
  }
  CHECK(bench.source->reads == 3);
}

TEST_CASE("replay body: of one that is known to be too large nothing is kept") {
  struct Announced : PiecesBody {
    using PiecesBody::PiecesBody;
    http::BodySize size() const override { return http::BodySize::known(11); }
  };
  BlockPool blocks{8 * 1024};
  Arena arena{blocks};
  for (const size_t limit : {10, 11}) {
    ReplayBuffer buffer(arena, make_in<Announced>(arena, arena, std::vector<std::string>{"hello ", "there"}), limit);
    ReplayBody body(arena, buffer);
    CHECK(next_of(body) == "hello ");
    CHECK(buffer.can_replay() == (limit == 11));
    CHECK(next_of(body) == "there");
    CHECK(next_of(body) == "(end)");
  }
}

TEST_CASE("replay body: rewound in the middle, it goes on where its source stood") {
  Bench bench({"one", "two", "three"});
  next_of(bench.body);
  next_of(bench.body);
  REQUIRE(bench.body.rewind());
  CHECK(bytes_of(bench.body, 6) == "onetwo");
  REQUIRE(bench.body.rewind());
  CHECK(finished(bench.body.whole(100)) == "onetwothree");
}

TEST_CASE("replay body: past its limit it can't be had again") {
  Bench bench({"1234", "5678", "9"}, 8);
  next_of(bench.body);
  next_of(bench.body);
  CHECK(bench.body.rewind());
  CHECK(finished(bench.body.whole(100)) == "123456789");
  CHECK_FALSE(bench.body.rewind());
}

TEST_CASE("replay body: of 60,000 pieces of one byte takes at most 4 times their size, with a copy of the whole") {
  const std::vector<std::string> pieces(60'000, "x");
  Bench bench(pieces, 1 << 20);
  for (size_t i = 0; i < pieces.size(); ++i) next_of(bench.body);
  const auto text = bench.buffer.text(bench.arena);
  CHECK(text == std::string(pieces.size(), 'x'));
  CHECK(bench.arena.footprint() <= 4 * text.size() + 2 * bench.blocks.block_size());
  REQUIRE(bench.body.rewind());
  CHECK(finished(bench.body.whole(1 << 20)) == text);
}

TEST_CASE("replay body: its source's error passes") {
  Bench bench({"one"});
  bench.source->error = Error{ErrorCode::client_gone, Side::client};
  next_of(bench.body);
  CHECK(next_of(bench.body) == "(error client_gone)");
}

}  // namespace weir
