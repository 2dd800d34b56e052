#include "exchange/pipe.h"

#include <doctest/doctest.h>

#include "unit/loop_bench.h"

namespace weir {
namespace {

struct Bench : LoopBench {
  void push(std::string_view text) { pipe.push(Slice::literal(text)); }
  std::string take() {
    const auto chunk = pipe.take();
    if (!chunk) return "(error " + std::string(name_of(chunk.error().code)) + ")";
    return chunk->is_end ? "(end)" : std::string(chunk->data.view());
  }

  BlockPool blocks{8 * 1024};
  Pipe pipe{loop, blocks};
};

constexpr Error kReset{ErrorCode::connection_reset, Side::upstream};

}  // namespace

TEST_CASE("pipe: gives out what was pushed, in its order, then the end") {
  Bench bench;
  const std::string first(2000, 'a');
  const std::string second(2000, 'b');
  CHECK_FALSE(bench.pipe.has_chunk());
  bench.push(first);
  bench.push(second);
  bench.pipe.finish(nullptr);
  CHECK(bench.take() == first);
  CHECK(bench.take() == second);
  CHECK(bench.take() == "(end)");
}

TEST_CASE("pipe: small pieces that pile up are joined") {
  Bench bench;
  for (const auto* piece : {"a", "b", "c", "d"}) bench.push(piece);
  CHECK(bench.take() == "a");
  CHECK(bench.take() == "bcd");
  CHECK_FALSE(bench.pipe.has_chunk());
}

TEST_CASE("pipe: trailers come with the end") {
  Bench bench;
  Arena arena(bench.blocks);
  http::Headers trailers(arena);
  bench.pipe.finish(&trailers);
  CHECK(bench.pipe.take()->trailers == &trailers);
}

TEST_CASE("pipe: what was pushed before a failure is still given out") {
  Bench bench;
  bench.push("data");
  bench.pipe.fail(kReset);
  CHECK(bench.pipe.is_settled());
  CHECK(bench.take() == "data");
  CHECK(bench.take() == "(error connection_reset)");
}

TEST_CASE("pipe: what comes after a failure or an end is dropped") {
  Bench bench;
  bench.pipe.fail(kReset);
  bench.push("late");
  bench.pipe.fail({ErrorCode::read_timeout, Side::upstream});
  CHECK(bench.take() == "(error connection_reset)");
}

TEST_CASE("pipe: a failure after the end changes nothing") {
  Bench bench;
  bench.pipe.finish(nullptr);
  bench.pipe.fail(kReset);
  CHECK(bench.take() == "(end)");
}

TEST_CASE("pipe: is full at 64 KiB and not full once some is taken") {
  Bench bench;
  const std::string piece(32 * 1024, 'x');
  bench.push(piece);
  CHECK_FALSE(bench.pipe.is_full());
  bench.push(piece);
  CHECK(bench.pipe.is_full());
  bench.take();
  CHECK_FALSE(bench.pipe.is_full());
}

TEST_CASE("pipe: wakes who waits for bytes, for the end, for a failure, and when touched") {
  const auto changes = {+[](Pipe& pipe) { pipe.push(Slice::literal("x")); }, +[](Pipe& pipe) { pipe.finish(nullptr); },
                        +[](Pipe& pipe) { pipe.fail(kReset); }, +[](Pipe& pipe) { pipe.touch(); }};
  for (const auto change : changes) {
    Bench bench;
    auto task = [](Pipe& pipe) -> Task<> { co_await pipe.changed(); }(bench.pipe);
    CHECK_FALSE(task.start());
    change(bench.pipe);
    bench.settle();
    CHECK(task.is_done());
  }
}

}  // namespace weir
