#pragma once

#include <span>
#include <vector>

#include "upstream/balancer.h"

namespace weir::upstream {

/// The cheaper of two that were drawn; of equals the first. Failing fast makes none cheaper than the other.
const Endpoint* better(const Endpoint& first, double first_cost, const Endpoint& second, double second_cost);

/// Draws endpoints at random, each as often as its weight says. Immutable.
class WeightedDraw {
 public:
  explicit WeightedDraw(std::span<const Endpoint> endpoints);

  /// One that the pick admits, other than `but`; null when there is none.
  const Endpoint* one(Pick& pick, const Endpoint* but = nullptr) const;

 private:
  const Endpoint& any(Random& random) const;

  std::span<const Endpoint> endpoints_;
  std::vector<uint64_t> sums_;  // of the weights so far; empty when all are equal
};

}  // namespace weir::upstream
