#include "upstream/balancer.h"

#include <algorithm>
#include <cmath>

#include "upstream/bounded_load.h"
#include "upstream/least_connections.h"
#include "upstream/maglev.h"
#include "upstream/peak_ewma.h"
#include "upstream/random_two.h"
#include "upstream/rendezvous.h"
#include "upstream/ring_hash.h"
#include "upstream/round_robin.h"

namespace weir::upstream {

namespace {

std::unique_ptr<Balancer> make_plain(Policy policy, const Balance& balance, std::span<const Endpoint> endpoints) {
  switch (policy) {
    case Policy::round_robin: return std::make_unique<RoundRobin>(endpoints);
    case Policy::least_connections: return std::make_unique<LeastConnections>(endpoints);
    case Policy::random_two: return std::make_unique<RandomTwo>(endpoints);
    case Policy::peak_ewma: return std::make_unique<PeakEwma>(endpoints);
    case Policy::ring: return std::make_unique<RingHash>(endpoints);
    case Policy::rendezvous: return std::make_unique<Rendezvous>(endpoints);
    case Policy::maglev: return std::make_unique<Maglev>(endpoints, balance.maglev_size);
  }
  return nullptr;
}

}  // namespace

bool Pick::was_tried(const Endpoint& endpoint) const { return tried && tried->has_tried(endpoint.state.get()); }

bool Pick::admits_any(std::span<const Endpoint> endpoints) const {
  return std::ranges::any_of(endpoints, [this](const Endpoint& endpoint) { return admits(endpoint); });
}

double Pick::share(const Endpoint& endpoint) const {
  if (!slow_start) return 1;
  const Time since = endpoint.state->up_since.load(std::memory_order_relaxed);
  if (since == Time::min() || now - since >= slow_start->window) return 1;
  const std::chrono::duration<double> passed = std::max<Duration>(now - since, std::chrono::seconds(1));
  const std::chrono::duration<double> window = slow_start->window;
  const double grown = std::pow(passed / window, 1 / slow_start->aggression);
  return std::clamp(grown, slow_start->min.value, 1.0);
}

const Endpoint* any_admitted(std::span<const Endpoint> endpoints, Pick& pick, const Endpoint* but) {
  const Endpoint* chosen = nullptr;
  uint64_t seen = 0;
  for (const Endpoint& endpoint : endpoints) {
    if (&endpoint == but || !pick.admits(endpoint)) continue;
    if (pick.random.below(++seen) == 0) chosen = &endpoint;
  }
  return chosen;
}

std::unique_ptr<Balancer> make_balancer(const Balance& balance, std::span<const Endpoint> endpoints) {
  auto balancer = make_plain(balance.policy, balance, endpoints);
  if (!balance.bounded_load) return balancer;
  return std::make_unique<BoundedLoad>(std::move(balancer), endpoints, *balance.bounded_load);
}

}  // namespace weir::upstream
