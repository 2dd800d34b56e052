#include "upstream/bounded_load.h"

#include <cmath>

namespace weir::upstream {

namespace {

constexpr int kJumps = 32;

double active(const Endpoint& endpoint) { return endpoint.state->active.load(std::memory_order_relaxed); }

}  // namespace

BoundedLoad::BoundedLoad(std::unique_ptr<Balancer> inner, std::span<const Endpoint> endpoints, double factor)
    : inner_(std::move(inner)), endpoints_(endpoints), factor_(factor) {}

const Endpoint* BoundedLoad::choose(Pick& pick) const {
  double load = 1;
  double weights = 0;
  const Endpoint* idlest = nullptr;
  for (const Endpoint& endpoint : endpoints_) {
    if (!pick.admits(endpoint)) continue;
    load += active(endpoint);
    weights += endpoint.weight;
    if (!idlest || active(endpoint) * idlest->weight < active(*idlest) * endpoint.weight) idlest = &endpoint;
  }
  if (!idlest) return nullptr;
  const uint64_t key = pick.key;
  const Endpoint* chosen = nullptr;
  for (int jump = 0; jump < kJumps; ++jump, pick.key = mix(pick.key)) {
    chosen = inner_->choose(pick);
    if (!chosen || active(*chosen) < std::ceil(factor_ * load * chosen->weight / weights)) break;
    chosen = idlest;
  }
  pick.key = key;
  return chosen;
}

}  // namespace weir::upstream
