#include "exchange/budget.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "async/clock.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

struct Bench {
  explicit Bench(Budget::Settings settings) : budget(settings) {}

  /// So many requests come and go.
  void serve(int requests) {
    for (int i = 0; i < requests; ++i) budget.enter(clock.now());
  }
  /// How many of `wanted` extras may go, one after the other.
  int spend_one_by_one(int wanted, std::string_view client = "client") {
    int spent = 0;
    for (int i = 0; i < wanted; ++i) spent += budget.spend(clock.now(), client) ? 1 : 0;
    return spent;
  }
  /// How many of `wanted` may go at once.
  int spend_at_once(int wanted) {
    std::vector<FairShare::Place> places;
    for (int i = 0; i < wanted; ++i) {
      if (auto place = budget.spend(clock.now(), "client")) places.push_back(std::move(place));
    }
    return static_cast<int>(places.size());
  }

  ManualClock clock;
  Budget budget;
};

}  // namespace

TEST_CASE("budget: without much traffic a few extras may go, and no more") {
  Bench bench({.ratio = {0.2}, .min = 10});
  bench.serve(10);
  CHECK(bench.spend_one_by_one(100) == 12);
}

TEST_CASE("budget: a client that holds all places keeps no other from one") {
  Bench bench({.min = 100, .concurrent = 2});
  std::vector<FairShare::Place> places;
  for (int i = 0; i < 5; ++i) places.push_back(bench.budget.spend(bench.clock.now(), "greedy"));
  CHECK(bench.budget.extras() == 2);
  const auto other = bench.budget.spend(bench.clock.now(), "other");
  CHECK(other);
  CHECK_FALSE(bench.budget.spend(bench.clock.now(), "other"));
  CHECK_FALSE(bench.budget.spend(bench.clock.now(), "greedy"));
}

TEST_CASE("budget: with much traffic it is a share of it") {
  Bench bench({.ratio = {0.2}, .min = 10});
  bench.serve(1000);
  CHECK(bench.spend_one_by_one(1000) == 210);
}

TEST_CASE("budget: what was spent comes back when the window has passed") {
  Bench bench({.ratio = {0.2}, .min = 10, .window = 10s});
  CHECK(bench.spend_one_by_one(100) == 10);
  bench.clock.advance(5s);
  CHECK(bench.spend_one_by_one(100) == 0);
  bench.clock.advance(6s);
  CHECK(bench.spend_one_by_one(100) == 10);
}

TEST_CASE("budget: a client that spends all that it can leaves as much to others, within twice the whole") {
  Bench bench({.ratio = {0.2}, .min = 10});
  bench.serve(200);
  CHECK(bench.spend_one_by_one(1000, "greedy") == 50);
  CHECK(bench.spend_one_by_one(10, "modest") == 10);
  CHECK(bench.spend_one_by_one(1000, "greedy") == 0);
  int spent = 0;
  for (int i = 0; i < 1000; ++i) spent += bench.spend_one_by_one(1, "client " + std::to_string(i));
  CHECK(spent == 40);
}

TEST_CASE("budget: greedy clients leave others a share, one window after the other") {
  Bench bench({.ratio = {0.2}, .min = 10, .window = 10s});
  for (int second = 0; second < 60; ++second) {
    bench.serve(100);
    for (const auto* client : {"greedy", "greedier"}) bench.spend_one_by_one(100, client);
    CHECK(bench.spend_one_by_one(3, "modest") == 3);
    bench.clock.advance(1s);
  }
}

TEST_CASE("budget: without a share and a least there are no extras, whoever asks") {
  Bench bench({.ratio = {0.0}, .min = 0});
  bench.serve(1000);
  CHECK(bench.spend_one_by_one(10) == 0);
}

TEST_CASE("budget: at once only a share of the requests under way may be doubled") {
  Bench bench({.ratio = {0.2}, .min = 1000, .concurrent = 3});
  CHECK(bench.spend_at_once(100) == 3);
  std::vector<Budget::Place> requests;
  for (int i = 0; i < 50; ++i) requests.push_back(bench.budget.enter(bench.clock.now()));
  CHECK(bench.spend_at_once(100) == 10);
  CHECK(bench.budget.extras() == 0);
}

}  // namespace weir
