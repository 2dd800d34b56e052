#pragma once

#include <vector>

#include "upstream/balancer.h"

namespace weir::upstream {

/// Highest random weight (Thaler and Ravishankar, 1996): each endpoint draws a lot with the key, the best one
/// has it. No table, the least movement, but a look at every endpoint.
class Rendezvous : public Balancer {
 public:
  explicit Rendezvous(std::span<const Endpoint> endpoints);
  const Endpoint* choose(Pick& pick) const override;

 private:
  std::span<const Endpoint> endpoints_;
  std::vector<uint64_t> names_;  // hashed
  bool is_weighted_ = false;
};

}  // namespace weir::upstream
