#include "upstream/rendezvous.h"

#include <cmath>

namespace weir::upstream {

namespace {

/// 0 < x < 1.
double fraction(uint64_t lot) { return (static_cast<double>(lot >> 11) + 0.5) * 0x1p-53; }

}  // namespace

Rendezvous::Rendezvous(std::span<const Endpoint> endpoints) : endpoints_(endpoints) {
  for (const auto& endpoint : endpoints) {
    names_.push_back(hash(endpoint.state->text));
    is_weighted_ |= endpoint.weight != endpoints.front().weight;
  }
}

const Endpoint* Rendezvous::choose(Pick& pick) const {
  const Endpoint* best = nullptr;
  double best_score = 0;
  for (size_t i = 0; i < endpoints_.size(); ++i) {
    const double lot = fraction(mix(names_[i] ^ pick.key));
    const double score = is_weighted_ ? -static_cast<double>(endpoints_[i].weight) / std::log(lot) : lot;
    if (score <= best_score || !pick.admits(endpoints_[i])) continue;
    best = &endpoints_[i];
    best_score = score;
  }
  return best;
}

}  // namespace weir::upstream
