#include "plugins/cache/use.h"

#include <doctest/doctest.h>

namespace weir::plugins {
namespace {

using namespace std::chrono_literals;

constexpr Time kNow{10h};

struct Bench {
  BlockPool blocks{8 * 1024};
  Arena arena{blocks};

  std::shared_ptr<Object> object(const Object::Terms& terms, std::string_view date = "", std::string_view etag = "") {
    http::ResponseHead head(arena);
    head.status = 200;
    if (!date.empty()) head.headers.add("Date", date, http::Field::date);
    if (!etag.empty()) head.headers.add("ETag", etag, http::Field::etag);
    auto content = std::make_shared<Content>(0);
    content->finish();
    return std::make_shared<Object>(head, terms, std::move(content), [](const http::Header&) { return false; });
  }
  /// Over for so long.
  std::shared_ptr<Object> over(Duration past) { return object({.born = kNow - 60s - past, .lifetime = 60s}); }
};

constexpr std::string_view kDate = "Sat, 28 Nov 2026 12:00:00 GMT";
constexpr std::string_view kLaterDate = "Sat, 28 Nov 2026 12:00:05 GMT";

}  // namespace

TEST_CASE("cache, use: a configured time past its freshness counts though the response allows none") {
  Bench bench;
  CHECK_FALSE(may_stand_in(*bench.over(5s), {}, kNow));
  CHECK(may_stand_in(*bench.over(5s), {}, 10s, kNow));
  CHECK_FALSE(may_stand_in(*bench.over(10s), {}, 10s, kNow));
}

TEST_CASE("cache, use: what a missed order may be about is validated first, and may stand in") {
  Bench bench;
  const auto object = bench.object({.born = kNow, .lifetime = 60s, .while_revalidate = 60s, .if_error = 60s});
  CHECK(use_of(*object, {}, kNow) == Use::as_it_is);
  object->heed(PurgeVerdict::stale);
  CHECK(use_of(*object, {}, kNow) == Use::while_revalidating);
  object->heed(PurgeVerdict::doubtful);
  CHECK(use_of(*object, {}, kNow) == Use::after_validation);
  CHECK(use_of(*object, {.max_stale = 100}, kNow) == Use::after_validation);
  CHECK(may_stand_in(*object, {}, kNow));
}

TEST_CASE("cache, use: what may never be stale isn't, whatever is configured") {
  Bench bench;
  const auto object = bench.object({.born = kNow - 65s, .lifetime = 60s, .must_revalidate = true});
  CHECK_FALSE(may_stand_in(*object, {}, 1h, kNow));
}

TEST_CASE("cache, use: a client may shorten a configured time, and not lengthen it") {
  Bench bench;
  CHECK_FALSE(may_stand_in(*bench.over(5s), {.stale_if_error = 5}, 10s, kNow));
  CHECK(may_stand_in(*bench.over(4s), {.stale_if_error = 5}, 10s, kNow));
  CHECK_FALSE(may_stand_in(*bench.over(15s), {.stale_if_error = 100}, 10s, kNow));
}

TEST_CASE("cache, use: the same response isn't newer for the clocks that it went through") {
  Bench bench;
  const auto own = bench.object({.born = kNow}, kDate, "\"1\"");
  CHECK_FALSE(is_newer(*bench.object({.born = kNow + 900ms}, kDate, "\"1\""), *own));
  CHECK_FALSE(is_newer(*bench.object({.born = kNow + 5s}, kDate, "\"1\""), *own));  // a clock was set
  CHECK_FALSE(is_newer(*bench.object({.born = kNow - 5s}, kLaterDate, "\"1\""), *own));
}

TEST_CASE("cache, use: a response that came later is newer, renewed or another") {
  Bench bench;
  const auto own = bench.object({.born = kNow}, kDate, "\"1\"");
  CHECK(is_newer(*bench.object({.born = kNow + 5s}, kLaterDate, "\"1\""), *own));
  CHECK(is_newer(*bench.object({.born = kNow + 5s}, kDate, "\"2\""), *own));
}

}  // namespace weir::plugins
