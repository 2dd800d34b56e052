#include "upstream/round_robin.h"

#include <algorithm>
#include <numeric>

namespace weir::upstream {

namespace {

constexpr uint64_t kLongestRound = 16384;

/// The weights in their lowest terms; rounded when even those make too long a round.
std::vector<int64_t> reduced_weights(std::span<const Endpoint> endpoints) {
  uint64_t divisor = 0;
  uint64_t sum = 0;
  for (const auto& endpoint : endpoints) divisor = std::gcd(divisor, uint64_t{endpoint.weight});
  for (const auto& endpoint : endpoints) sum += endpoint.weight / divisor;
  std::vector<int64_t> weights;
  for (const auto& endpoint : endpoints) {
    uint64_t weight = endpoint.weight / divisor;
    if (sum > kLongestRound) weight = std::max<uint64_t>(1, (weight * kLongestRound + sum / 2) / sum);
    weights.push_back(static_cast<int64_t>(weight));
  }
  return weights;
}

/// Every turn each endpoint earns its weight; the richest is chosen and pays what all have earned. After as many
/// turns as the weights sum to all are at zero again: the round.
std::vector<uint32_t> smooth_round(const std::vector<int64_t>& weights) {
  const int64_t sum = std::accumulate(weights.begin(), weights.end(), int64_t{0});
  std::vector<uint32_t> round(static_cast<size_t>(sum));
  if (round.size() == weights.size()) {  // all equal
    std::iota(round.begin(), round.end(), 0);
    return round;
  }
  std::vector<int64_t> earned(weights.size());
  for (auto& turn : round) {
    for (size_t i = 0; i < weights.size(); ++i) earned[i] += weights[i];
    const auto richest = std::ranges::max_element(earned);
    *richest -= sum;
    turn = static_cast<uint32_t>(richest - earned.begin());
  }
  return round;
}

}  // namespace

RoundRobin::RoundRobin(std::span<const Endpoint> endpoints)
    : endpoints_(endpoints), schedule_(smooth_round(reduced_weights(endpoints))) {}

const Endpoint* RoundRobin::choose(Pick& pick) const {
  for (size_t i = 0; i < schedule_.size(); ++i) {
    const auto turn = pick.turn.fetch_add(1, std::memory_order_relaxed);
    const Endpoint& endpoint = endpoints_[schedule_[turn % schedule_.size()]];
    if (pick.admits(endpoint) && pick.lets_in(endpoint)) return &endpoint;
  }
  return any_admitted(endpoints_, pick);  // other workers took the turns, or slow start let none in
}

}  // namespace weir::upstream
