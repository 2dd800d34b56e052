#include "upstream/round_robin.h"

#include <algorithm>
#include <numeric>

#include "base/smooth_round.h"

namespace weir::upstream {

namespace {

constexpr uint64_t kLongestRound = 16384;

/// The weights in their lowest terms; rounded when even those make too long a round.
std::vector<uint32_t> reduced_weights(std::span<const Endpoint> endpoints) {
  uint64_t divisor = 0;
  uint64_t sum = 0;
  for (const auto& endpoint : endpoints) divisor = std::gcd(divisor, uint64_t{endpoint.weight});
  for (const auto& endpoint : endpoints) sum += endpoint.weight / divisor;
  std::vector<uint32_t> weights;
  for (const auto& endpoint : endpoints) {
    uint64_t weight = endpoint.weight / divisor;
    if (sum > kLongestRound) weight = std::max<uint64_t>(1, (weight * kLongestRound + sum / 2) / sum);
    weights.push_back(static_cast<uint32_t>(weight));
  }
  return weights;
}

}  // namespace

std::vector<uint32_t> weighted_round(std::span<const Endpoint> endpoints) {
  return smooth_round(reduced_weights(endpoints));
}

RoundRobin::RoundRobin(std::span<const Endpoint> endpoints)
    : endpoints_(endpoints), schedule_(weighted_round(endpoints)) {}

const Endpoint* RoundRobin::choose(Pick& pick) const {
  for (size_t i = 0; i < schedule_.size(); ++i) {
    const auto turn = pick.turn.fetch_add(1, std::memory_order_relaxed);
    const Endpoint& endpoint = endpoints_[schedule_[turn % schedule_.size()]];
    if (pick.admits(endpoint) && pick.lets_in(endpoint)) return &endpoint;
  }
  return any_admitted(endpoints_, pick);  // other workers took the turns, or slow start let none in
}

}  // namespace weir::upstream
