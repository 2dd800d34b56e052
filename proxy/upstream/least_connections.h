#pragma once

#include <vector>

#include "upstream/balancer.h"

namespace weir::upstream {

/// The fewest requests in flight for its weight. Equals take turns by weight, as in round robin. An endpoint whose
/// attempts fail counts as loaded as the mean: failing fast earns no requests.
class LeastConnections : public Balancer {
 public:
  explicit LeastConnections(std::span<const Endpoint> endpoints);
  const Endpoint* choose(Pick& pick) const override;

 private:
  std::span<const Endpoint> endpoints_;
  std::vector<uint32_t> schedule_;  // one round
};

}  // namespace weir::upstream
