#pragma once

#include <vector>

#include "upstream/balancer.h"

namespace weir::upstream {

/// Indices of `endpoints`: one round in which each has the turns that its weight earns.
std::vector<uint32_t> weighted_round(std::span<const Endpoint> endpoints);

/// Smooth weighted round robin: of weights 5, 1 and 1 it makes A A B A C A A, never A A A A A B C. One position for
/// all workers. An endpoint out of service leaves its turns to all others alike.
class RoundRobin : public Balancer {
 public:
  explicit RoundRobin(std::span<const Endpoint> endpoints);
  const Endpoint* choose(Pick& pick) const override;

 private:
  std::span<const Endpoint> endpoints_;
  std::vector<uint32_t> schedule_;  // one round
};

}  // namespace weir::upstream
