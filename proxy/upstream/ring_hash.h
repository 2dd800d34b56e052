#pragma once

#include <vector>

#include "upstream/balancer.h"

namespace weir::upstream {

/// Consistent hashing (Karger, 1997): each endpoint has points on a ring as its weight is, a key goes to the next
/// point. An endpoint that goes moves its own keys only. Built on names, so that every machine agrees.
class RingHash : public Balancer {
 public:
  explicit RingHash(std::span<const Endpoint> endpoints);
  const Endpoint* choose(Pick& pick) const override;

 private:
  struct Point {
    uint64_t hash;
    uint32_t endpoint;
  };

  std::span<const Endpoint> endpoints_;
  std::vector<Point> ring_;  // by hash
};

}  // namespace weir::upstream
