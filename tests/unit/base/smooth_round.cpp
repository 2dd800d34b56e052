#include "base/smooth_round.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "unit/growth.h"

using namespace weir;

TEST_CASE("smooth round: the heavy one's turns are spread over the round") {
  CHECK(smooth_round(std::vector<uint32_t>{5, 1, 1}) == std::vector<uint32_t>{0, 0, 1, 0, 2, 0, 0});
  CHECK(smooth_round(std::vector<uint32_t>{1, 1, 1}) == std::vector<uint32_t>{0, 1, 2});
  CHECK(smooth_round(std::vector<uint32_t>{0, 2}) == std::vector<uint32_t>{1, 1});
}

TEST_CASE("smooth round: of thousands, each has its turns, and they are spread") {
  std::vector<uint32_t> weights(4000, 1);
  weights[7] = 1000;
  const auto round = smooth_round(weights);
  REQUIRE(round.size() == 4999);
  std::vector<uint32_t> turns(weights.size());
  size_t longest = 0;
  for (size_t i = 0, last = 0; i < round.size(); ++i) {
    ++turns[round[i]];
    if (round[i] != 7) continue;
    longest = std::max(longest, i - last);
    last = i;
  }
  CHECK(turns == weights);
  CHECK(longest <= 6);  // a fifth of the turns
}

TEST_CASE("smooth round: the cost of thousands of weights grows with their number") {
  const auto of = [](size_t count) {
    std::vector<uint32_t> weights;
    for (size_t i = 0; i < count; ++i) weights.push_back(1 + i % 3);
    CHECK(smooth_round(weights).size() >= count);
  };
  CHECK(growth(4000, of) < kNearLinear);
}
