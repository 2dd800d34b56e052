#pragma once

#include "upstream/balancer.h"

namespace weir::upstream {

/// A hash policy with a limit: no endpoint above `factor` times its share of what is in flight (Mirrokni, 2016).
/// Keys of a full one jump by hashing on, not to its neighbour, which would be the next to fall.
class BoundedLoad : public Balancer {
 public:
  BoundedLoad(std::unique_ptr<Balancer> inner, std::span<const Endpoint> endpoints, double factor);
  const Endpoint* choose(Pick& pick) const override;

 private:
  std::unique_ptr<Balancer> inner_;
  std::span<const Endpoint> endpoints_;
  double factor_;
};

}  // namespace weir::upstream
