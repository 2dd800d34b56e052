#include "exchange/body.h"

#include <doctest/doctest.h>

#include "unit/task_bench.h"

namespace weir {
namespace {

struct Bench {
  BlockPool blocks{8 * 1024};
  Arena arena{blocks};
};

}  // namespace

TEST_CASE("text body: its text, then its end") {
  Bench bench;
  TextBody body(bench.arena, "hello");
  CHECK(body.size() == http::BodySize::known(5));
  CHECK(next_of(body) == "hello");
  CHECK(next_of(body) == "(end)");
}

TEST_CASE("text body: an empty text has no chunk, but a size") {
  Bench bench;
  TextBody body(bench.arena, "");
  CHECK(body.size() == http::BodySize::known(0));
  CHECK(next_of(body) == "(end)");
}

TEST_CASE("text body: can be read again") {
  Bench bench;
  TextBody body(bench.arena, "hello");
  next_of(body);
  CHECK(body.rewind());
  CHECK(next_of(body) == "hello");
}

TEST_CASE("no body: is none, and ends at once") {
  Bench bench;
  NoBody body(bench.arena);
  CHECK(body.size() == http::BodySize::none());
  CHECK(next_of(body) == "(end)");
}

TEST_CASE("body: whole joins all pieces") {
  Bench bench;
  PiecesBody body(bench.arena, {"one ", "two ", "three"});
  CHECK(finished(body.whole(100)) == "one two three");
}

TEST_CASE("body: whole refuses what is over its limit, and takes what is just at it") {
  Bench bench;
  PiecesBody fits(bench.arena, {"1234", "5678"});
  CHECK(finished(fits.whole(8)) == "12345678");
  PiecesBody over(bench.arena, {"1234", "5678", "9"});
  CHECK(finished(over.whole(8)).error().code == ErrorCode::body_too_large);
}

TEST_CASE("body: whole of 60,000 pieces of one byte takes at most 4 times their size") {
  Bench bench;
  PiecesBody body(bench.arena, std::vector<std::string>(60'000, "x"));
  CHECK(finished(body.whole(1 << 20)) == std::string(60'000, 'x'));
  CHECK(bench.arena.footprint() <= 4 * 60'000 + 2 * bench.blocks.block_size());
}

TEST_CASE("body: whole passes an error on") {
  Bench bench;
  PiecesBody body(bench.arena, {"one"});
  body.error = Error{ErrorCode::connection_reset, Side::upstream};
  CHECK(finished(body.whole(100)).error().code == ErrorCode::connection_reset);
}

}  // namespace weir
