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
  for (const auto algorithm :
       {Algorithm::gcra, Algorithm::sliding_window, Algorithm::sliding_log, Algorithm::fixed_window}) {
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

TEST_CASE_TEMPLATE("store: a gcra limit that is made wider is wider at once", Bench, STORES) {
  Bench bench;
  const Limit narrow{"api", Algorithm::gcra, 1, 1h, 1};
  CHECK(bench.take(narrow, "a").allowed);
  CHECK(bench.take(narrow, "a").retry_after == 1h);
  const Limit wide{"api", Algorithm::gcra, 10, 1s, 5};
  const Quota cut = bench.take(wide, "a");
  CHECK(cut.retry_after == 100ms);
  CHECK(cut.reset_after == 500ms);
  bench.pass(100ms);
  CHECK(bench.admitted(wide, "a", 5) == 1);
  bench.pass(500ms);
  CHECK(bench.admitted(wide, "a", 10) == 5);
}

TEST_CASE_TEMPLATE("store: takes with a smaller burst cut nothing off what larger ones of that name have taken", Bench,
                   STORES) {
  Bench bench;
  Limit patient{"api", Algorithm::gcra, 1, 1s, 10};
  patient.largest_burst = 10;
  Limit hasty = patient;
  hasty.burst = 2;
  CHECK(bench.admitted(patient, "a", 20) == 10);
  const Quota refused = bench.take(hasty, "a");
  CHECK(refused.retry_after == 9s);
  CHECK(refused.remaining == 0);
  CHECK(bench.take(patient, "a").retry_after == 1s);
}

TEST_CASE_TEMPLATE("store: a sliding log never admits more within any one period", Bench, STORES) {
  Bench bench;
  const Limit limit{"exact", Algorithm::sliding_log, 5, 1s};
  std::vector<int> admitted;
  for (int i = 0; i < 40; ++i) {
    admitted.push_back(bench.admitted(limit, "a", i % 7 == 0 ? 3 : 1));
    int within = 0;
    for (size_t k = admitted.size() - std::min<size_t>(admitted.size(), 10); k < admitted.size(); ++k)
      within += admitted[k];
    CHECK(within <= 5);
    bench.pass(100ms);
  }
}

TEST_CASE_TEMPLATE("store: a sliding log tells what is left, and when it is whole again", Bench, STORES) {
  Bench bench;
  const Limit limit{"exact", Algorithm::sliding_log, 3, 10s};
  CHECK(bench.take(limit, "a", 2).remaining == 1);
  bench.pass(4s);
  const Quota last = bench.take(limit, "a");
  CHECK(last.remaining == 0);
  CHECK(last.reset_after == 10s);
  const Quota refused = bench.take(limit, "a");
  CHECK(refused.retry_after == 6s);
  CHECK(refused.reset_after == 10s);
  CHECK(bench.take(limit, "a", 3).retry_after == 10s);
  CHECK(bench.take(limit, "a", 4).is_beyond);
  bench.pass(6s);
  CHECK(bench.admitted(limit, "a", 5) == 2);
}

TEST_CASE_TEMPLATE("store: a limit that changes its algorithm begins anew, and back again", Bench, STORES) {
  Bench bench;
  for (const auto algorithm : {Algorithm::sliding_log, Algorithm::gcra, Algorithm::sliding_log,
                               Algorithm::sliding_window, Algorithm::sliding_log, Algorithm::fixed_window})
    CHECK(bench.take({"api", algorithm, 2, 1min, 2}, "a").allowed);
}

TEST_CASE_TEMPLATE("store: of several limits each may be the narrow one, and the others lose nothing", Bench, STORES) {
  for (size_t narrow = 0; narrow < 3; ++narrow) {
    Bench bench;
    std::vector<Limit> limits;
    for (size_t i = 0; i < 3; ++i)
      limits.push_back({i == 0 ? "a" : i == 1 ? "b" : "c", Algorithm::gcra, 1, 1h, i == narrow ? 1u : 5u});
    const Take all[] = {{limits[0], "k"}, {limits[1], "k"}, {limits[2], "k"}};
    CHECK(bench.wait(bench.store.take(bench.caller(), all)).allowed);
    const auto refused = bench.wait(bench.store.take(bench.caller(), all));
    CHECK_FALSE(refused.allowed);
    for (size_t i = 0; i < 3; ++i) {
      CHECK(refused.quotas[i].allowed == (i != narrow));
      CHECK(refused.quotas[i].remaining == (i == narrow ? 0 : 4));
      CHECK(bench.take(limits[i], "k", 0).remaining == (i == narrow ? 0 : 4));
    }
  }
}
