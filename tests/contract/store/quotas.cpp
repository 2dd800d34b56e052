#include "contract/store/bench.h"

using namespace weir;
using namespace weir::store;
using namespace std::chrono_literals;
using Algorithm = Limit::Algorithm;

TEST_CASE_TEMPLATE("store: gcra admits the burst at once, then one each interval", Bench, STORES) {
  Bench bench;
  const Limit limit{"api", Algorithm::gcra, 100, 1min, 3};
  CHECK(bench.admitted(limit, "a", 10) == 3);
  const Quota refused = bench.take(limit, "a");
  CHECK_FALSE(refused.allowed);
  CHECK(refused.retry_after == 600ms);
  CHECK(refused.remaining == 0);
  CHECK(refused.reset_after == 1800ms);
  bench.pass(599ms);
  CHECK_FALSE(bench.take(limit, "a").allowed);
  bench.pass(1ms);
  CHECK(bench.admitted(limit, "a", 10) == 1);
}

TEST_CASE_TEMPLATE("store: gcra tells what is left and when it is whole again", Bench, STORES) {
  Bench bench;
  const Limit limit{"api", Algorithm::gcra, 1, 1s, 5};
  const Quota taken = bench.take(limit, "a", 2);
  CHECK(taken.most == 5);
  CHECK(taken.remaining == 3);
  CHECK(taken.retry_after == 0s);
  CHECK(taken.reset_after == 2s);
}

TEST_CASE_TEMPLATE("store: a cost of nothing looks without taking", Bench, STORES) {
  Bench bench;
  const Limit limit{"api", Algorithm::gcra, 1, 1s, 2};
  CHECK(bench.take(limit, "a", 0).remaining == 2);
  CHECK(bench.take(limit, "a", 0).remaining == 2);
}

TEST_CASE_TEMPLATE("store: a cost that the limit can never give is told apart", Bench, STORES) {
  Bench bench;
  CHECK(bench.take({"a", Algorithm::gcra, 1, 1s, 2}, "k", 3).is_beyond);
  CHECK(bench.take({"b", Algorithm::fixed_window, 2, 1s}, "k", 3).is_beyond);
  CHECK_FALSE(bench.take({"a", Algorithm::gcra, 1, 1s, 2}, "k", 2).is_beyond);
}

TEST_CASE_TEMPLATE("store: keys and limits with other names have quotas of their own", Bench, STORES) {
  Bench bench;
  const Limit limit{"api", Algorithm::gcra, 1, 1s, 1};
  const Limit other{"web", Algorithm::gcra, 1, 1s, 1};
  CHECK(bench.take(limit, "a").allowed);
  CHECK(bench.take(limit, "b").allowed);
  CHECK(bench.take(other, "a").allowed);
  CHECK_FALSE(bench.take(limit, "a").allowed);
}

TEST_CASE_TEMPLATE("store: several quotas are taken together or not at all", Bench, STORES) {
  Bench bench;
  const Limit wide{"wide", Algorithm::gcra, 1, 1h, 10};
  const Limit narrow{"narrow", Algorithm::gcra, 1, 1h, 1};
  const Take both[] = {{wide, "a"}, {narrow, "a"}};
  CHECK(bench.wait(bench.store.take(bench.caller(), both)).allowed);
  const Decision refused = bench.wait(bench.store.take(bench.caller(), both));
  CHECK_FALSE(refused.allowed);
  CHECK(refused.quotas.size() == 2);
  CHECK(refused.quotas[0].allowed);
  CHECK(refused.quotas[0].remaining == 9);
  CHECK_FALSE(refused.quotas[1].allowed);
  CHECK(bench.take(wide, "a", 0).remaining == 9);
}

TEST_CASE_TEMPLATE("store: a fixed window starts anew on the calendar's edge", Bench, STORES) {
  Bench bench;
  const Limit limit{"day", Algorithm::fixed_window, 2, 24h};
  CHECK(bench.admitted(limit, "a", 5) == 2);
  const Quota refused = bench.take(limit, "a");
  CHECK(refused.retry_after == refused.reset_after);
  bench.pass(refused.retry_after - 1s);
  CHECK_FALSE(bench.take(limit, "a").allowed);
  bench.pass(1s);
  CHECK(bench.admitted(limit, "a", 5) == 2);
}

TEST_CASE_TEMPLATE("store: a sliding window weighs the one before by what is still in sight", Bench, STORES) {
  Bench bench;
  const Limit limit{"slide", Algorithm::sliding_window, 10, 10s};
  bench.pass(bench.take({"edge", Algorithm::fixed_window, 1, 10s}, "e").reset_after);  // to a window's edge
  CHECK(bench.admitted(limit, "a", 20) == 10);
  bench.pass(10s);
  CHECK_FALSE(bench.take(limit, "a").allowed);
  bench.pass(5s);
  CHECK(bench.admitted(limit, "a", 20) == 5);
}

TEST_CASE_TEMPLATE("store: after the time that a refusal names, the same take passes", Bench, STORES) {
  for (const auto algorithm : {Algorithm::gcra, Algorithm::sliding_window, Algorithm::fixed_window}) {
    Bench bench;
    const Limit limit{"api", algorithm, 7, 10s, 7};
    while (bench.take(limit, "a", 2).allowed) {
    }
    const Quota refused = bench.take(limit, "a", 2);
    CHECK(refused.retry_after > 0s);
    bench.pass(refused.retry_after + 1us);
    CHECK(bench.take(limit, "a", 2).allowed);
  }
}
