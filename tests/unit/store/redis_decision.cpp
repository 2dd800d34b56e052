#include "store/redis_decision.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

using namespace weir;
using namespace weir::store;
using namespace std::chrono_literals;

namespace {

struct Bench {
  BlockPool blocks{8 * 1024};
  Arena arena{blocks};
  Limit limit{"api", Limit::Algorithm::gcra, 100, 1h, 100};

  std::optional<Quota> read(std::string_view text, uint64_t cost = 1) {
    const Take one[] = {{limit, "k", cost}};
    const auto decision = read_decision(arena, one, text);
    return decision ? std::optional(decision->quotas[0]) : std::nullopt;
  }
};

}  // namespace

TEST_CASE("redis decision: what the script says is understood") {
  Bench bench;
  const auto quota = bench.read("1 98 0 72000000");
  REQUIRE(quota.has_value());
  CHECK(quota->allowed);
  CHECK(quota->remaining == 98);
  CHECK(quota->reset_after == 72s);
  const auto refused = bench.read("0 0 1500000 3600000000");
  CHECK_FALSE(refused->allowed);
  CHECK(refused->retry_after == 1500ms);
  CHECK(refused->reset_after == 1h);
}

TEST_CASE("redis decision: numbers beyond all sense stay within what the limit could ever say") {
  for (const auto algorithm :
       {Limit::Algorithm::gcra, Limit::Algorithm::sliding_window, Limit::Algorithm::fixed_window}) {
    Bench bench;
    bench.limit.algorithm = algorithm;
    for (const std::string time : {"9223372036854775807", "-9223372036854775808", "9223372036854776", "-1", "0"}) {
      const auto quota = bench.read("0 18446744073709551615 " + time + " " + time);
      REQUIRE(quota.has_value());
      CHECK(quota->remaining == 100);
      CHECK(quota->retry_after >= 0s);
      CHECK(quota->retry_after <= 2h);
      CHECK(quota->reset_after >= 0s);
      CHECK(quota->reset_after <= 2h);
    }
  }
}

TEST_CASE("redis decision: the longest wait of any limit can be added to any point in time") {
  const auto century = kCentury;
  for (const auto algorithm : {Limit::Algorithm::gcra, Limit::Algorithm::fixed_window}) {
    for (const uint64_t count : {uint64_t{1}, uint64_t{1000}, uint64_t{1} << 62}) {
      for (const Duration per : {Duration(1), Duration(1s), century, Duration::max()}) {
        for (const uint64_t burst : {uint64_t{1}, uint64_t{100}, UINT64_MAX}) {
          const auto wait = longest_wait({"x", algorithm, count, per, burst});
          CHECK(wait > 0s);
          CHECK(wait <= 2 * century);
        }
      }
    }
  }
  CHECK(duration_of(INT64_MAX, Duration::max()) > 0s);
  CHECK(duration_of(INT64_MIN, Duration::max()) == 0s);
}

TEST_CASE("redis decision: more than there ever is can't have been allowed") {
  CHECK_FALSE(Bench().read("1 0 0 0", 101)->allowed);
  CHECK(Bench().read("1 0 0 0", 100)->allowed);
}

TEST_CASE("redis decision: a new key, and one that was left out, are told apart from a known one") {
  CHECK_FALSE(Bench().read("1 98 0 72000000")->is_new);
  CHECK(Bench().read("2 98 0 72000000")->is_new);
  CHECK_FALSE(Bench().read("2 98 0 72000000")->is_left_out);
  CHECK(Bench().read("3 98 0 72000000")->is_left_out);
  CHECK(Bench().read("3 98 0 72000000")->allowed);
}

TEST_CASE("redis decision: a text that is none is refused") {
  for (const auto* text : {"", "1", "1 2", "1 2 3", "1 2 3 x", "1 2 3 4 5", "4 2 3 4", "-1 2 3 4", "1 -2 3 4", "x",
                           "OK", "1 2 3 99999999999999999999", "1,2,3,4", "1  2 3 4", "1 2 3 4 1 2 3 4"}) {
    INFO(text);
    CHECK_FALSE(Bench().read(text).has_value());
  }
}
