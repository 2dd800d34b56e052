#include "upstream/weighted_draw.h"

#include <algorithm>

namespace weir::upstream {

namespace {

constexpr int kDraws = 4;  // before a look at all

}  // namespace

const Endpoint* better(const Endpoint& first, double first_cost, const Endpoint& second, double second_cost) {
  const double of_first = first.state->failing.at_least(first_cost, second_cost);
  const double of_second = second.state->failing.at_least(second_cost, first_cost);
  return of_first <= of_second ? &first : &second;
}

WeightedDraw::WeightedDraw(std::span<const Endpoint> endpoints) : endpoints_(endpoints) {
  const auto equal = [&](const Endpoint& e) { return e.weight == endpoints.front().weight; };
  if (std::ranges::all_of(endpoints, equal)) return;
  uint64_t sum = 0;
  for (const auto& endpoint : endpoints) sums_.push_back(sum += endpoint.weight);
}

const Endpoint& WeightedDraw::any(Random& random) const {
  if (sums_.empty()) return endpoints_[random.below(endpoints_.size())];
  const auto at = std::ranges::upper_bound(sums_, random.below(sums_.back()));
  return endpoints_[static_cast<size_t>(at - sums_.begin())];
}

const Endpoint* WeightedDraw::one(Pick& pick, const Endpoint* but) const {
  for (int i = 0; i < kDraws; ++i) {
    const Endpoint& drawn = any(pick.random);
    if (&drawn != but && pick.admits(drawn) && pick.lets_in(drawn)) return &drawn;
  }
  return any_admitted(endpoints_, pick, but);
}

}  // namespace weir::upstream
