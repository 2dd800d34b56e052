#include "base/smooth_round.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <queue>

namespace weir {

namespace {

constexpr uint64_t kMostSteps = 1 << 22;  // turns times weights; a round of more is queued instead

/// Every turn each weight is earned; the richest is chosen and pays what all have earned. After as many turns as the
/// weights sum to all are at zero again: the round.
std::vector<uint32_t> by_turns(std::span<const uint32_t> weights, uint64_t sum) {
  std::vector<uint32_t> round(sum);
  std::vector<int64_t> earned(weights.size());
  for (auto& turn : round) {
    for (size_t i = 0; i < weights.size(); ++i) earned[i] += weights[i];
    const auto richest = std::ranges::max_element(earned);
    *richest -= static_cast<int64_t>(sum);
    turn = static_cast<uint32_t>(richest - earned.begin());
  }
  return round;
}

/// Worst-case fair queueing (WF2Q): the n-th turn of a weight may come once n shares of the round have gone by, and of
/// those that may come, the one whose share ends first is next.
std::vector<uint32_t> by_time(std::span<const uint32_t> weights, uint64_t sum) {
  struct Turn {
    double when;  // it may come, or its share ends
    uint32_t who;
    uint32_t number;  // of the turns of `who`
    bool operator>(const Turn& other) const { return when != other.when ? when > other.when : who > other.who; }
  };
  using Queue = std::priority_queue<Turn, std::vector<Turn>, std::greater<>>;
  Queue later, due;
  const auto share = [&](uint32_t who) { return static_cast<double>(sum) / weights[who]; };
  for (uint32_t who = 0; who < weights.size(); ++who) {
    if (weights[who] > 0) due.push({share(who), who, 0});
  }
  std::vector<uint32_t> round;
  round.reserve(sum);
  while (round.size() < sum) {
    const auto now = static_cast<double>(round.size());
    while (!later.empty() && (later.top().when <= now || due.empty())) {
      const auto [when, who, number] = later.top();
      later.pop();
      due.push({share(who) * (number + 1), who, number});
    }
    const Turn next = due.top();
    due.pop();
    round.push_back(next.who);
    if (next.number + 1 < weights[next.who])
      later.push({share(next.who) * (next.number + 1), next.who, next.number + 1});
  }
  return round;
}

}  // namespace

std::vector<uint32_t> smooth_round(std::span<const uint32_t> weights) {
  const uint64_t sum = std::accumulate(weights.begin(), weights.end(), uint64_t{0});
  const bool is_even = std::ranges::all_of(weights, [](uint32_t weight) { return weight == 1; });
  if (is_even) {
    std::vector<uint32_t> round(weights.size());
    std::iota(round.begin(), round.end(), 0);
    return round;
  }
  return sum * weights.size() <= kMostSteps ? by_turns(weights, sum) : by_time(weights, sum);
}

}  // namespace weir
