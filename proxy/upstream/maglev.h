#pragma once

#include <vector>

#include "upstream/balancer.h"

namespace weir::upstream {

/// Google's Maglev (Eisenbud, 2016): the endpoints take turns in filling a table, each by a permutation of its own.
/// One look per request; a change moves some more keys than it must. `size` grows to 100 slots an endpoint.
class Maglev : public Balancer {
 public:
  Maglev(std::span<const Endpoint> endpoints, uint32_t size);
  const Endpoint* choose(Pick& pick) const override;

 private:
  std::span<const Endpoint> endpoints_;
  std::vector<uint32_t> table_;
};

}  // namespace weir::upstream
