#pragma once

#include "upstream/balancer.h"
#include "upstream/weighted_draw.h"

namespace weir::upstream {

/// Of two drawn at random, the one with the lesser latency times requests in flight, for its weight.
class PeakEwma : public Balancer {
 public:
  explicit PeakEwma(std::span<const Endpoint> endpoints);
  const Endpoint* choose(Pick& pick) const override;

 private:
  WeightedDraw draw_;
};

}  // namespace weir::upstream
