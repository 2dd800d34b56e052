#pragma once

#include "upstream/balancer.h"

namespace weir::upstream {

/// The most weight for each request in flight, counting the one to come. Those that are equal take turns.
class LeastConnections : public Balancer {
 public:
  explicit LeastConnections(std::span<const Endpoint> endpoints);
  const Endpoint* choose(Pick& pick) const override;

 private:
  std::span<const Endpoint> endpoints_;
};

}  // namespace weir::upstream
