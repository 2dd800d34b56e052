#pragma once

#include <span>
#include <vector>

#include "upstream/balancer.h"

namespace weir::upstream {

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
