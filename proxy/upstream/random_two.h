#pragma once

#include "upstream/balancer.h"
#include "upstream/weighted_draw.h"

namespace weir::upstream {

/// The less loaded of two drawn by weight (Mitzenmacher, 2001): nearly as good as looking at all, and workers
/// that choose at once don't all choose the same.
class RandomTwo : public Balancer {
 public:
  explicit RandomTwo(std::span<const Endpoint> endpoints);
  const Endpoint* choose(Pick& pick) const override;

 private:
  WeightedDraw draw_;
};

}  // namespace weir::upstream
