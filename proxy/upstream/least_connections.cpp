#include "upstream/least_connections.h"

namespace weir::upstream {

LeastConnections::LeastConnections(std::span<const Endpoint> endpoints) : endpoints_(endpoints) {}

const Endpoint* LeastConnections::choose(Pick& pick) const {
  const Endpoint* best = nullptr;
  double best_score = 0;
  size_t at = pick.turn.fetch_add(1, std::memory_order_relaxed) % endpoints_.size();
  for (size_t i = 0; i < endpoints_.size(); ++i, ++at) {
    if (at == endpoints_.size()) at = 0;
    const Endpoint& endpoint = endpoints_[at];
    if (!pick.admits(endpoint)) continue;
    const double score = pick.weight(endpoint) / (endpoint.state->active.load(std::memory_order_relaxed) + 1.0);
    if (score <= best_score) continue;
    best = &endpoint;
    best_score = score;
  }
  return best;
}

}  // namespace weir::upstream
