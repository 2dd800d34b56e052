#include "upstream/least_connections.h"

#include "upstream/round_robin.h"

namespace weir::upstream {

namespace {

double active(const Endpoint& endpoint) { return endpoint.state->active.load(std::memory_order_relaxed); }

/// The mean load for a unit of weight, of the endpoints whose attempts succeed.
double mean_load(std::span<const Endpoint> endpoints) {
  double load = 0;
  double weights = 0;
  for (const Endpoint& endpoint : endpoints) {
    const double works = 1 - endpoint.state->failing.discount();
    load += works * active(endpoint);
    weights += works * endpoint.weight;
  }
  return weights > 0 ? load / weights : 0;
}

}  // namespace

LeastConnections::LeastConnections(std::span<const Endpoint> endpoints)
    : endpoints_(endpoints), schedule_(weighted_round(endpoints)) {}

/// The least loaded for its weight. Equals take turns: the search begins with the endpoint whose turn it is.
const Endpoint* LeastConnections::choose(Pick& pick) const {
  const double mean = mean_load(endpoints_);
  const Endpoint* best = nullptr;
  double best_load = 0;
  size_t at = schedule_[pick.turn.fetch_add(1, std::memory_order_relaxed) % schedule_.size()];
  for (size_t i = 0; i < endpoints_.size(); ++i, ++at) {
    if (at == endpoints_.size()) at = 0;
    const Endpoint& endpoint = endpoints_[at];
    if (!pick.admits(endpoint)) continue;
    const double load = endpoint.state->failing.at_least(active(endpoint) / pick.weight(endpoint), mean);
    if (best && load >= best_load) continue;
    best = &endpoint;
    best_load = load;
  }
  return best;
}

}  // namespace weir::upstream
