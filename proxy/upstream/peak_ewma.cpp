#include "upstream/peak_ewma.h"

namespace weir::upstream {

namespace {

constexpr double kDefaultLatency = 10e6;  // 10 ms
constexpr double kPenalty = 1e15;         // so an endpoint never measured gets one request, not all of them

double cost(const Endpoint& endpoint, const Pick& pick) {
  const auto& state = *endpoint.state;
  const double active = state.active.load(std::memory_order_relaxed);
  const double unmeasured = active == 0 ? kDefaultLatency : kPenalty;
  const double latency = state.latency.is_measured() ? state.latency.at(pick.now) : unmeasured;
  return latency * (active + 1) / pick.weight(endpoint);
}

}  // namespace

PeakEwma::PeakEwma(std::span<const Endpoint> endpoints) : draw_(endpoints) {}

const Endpoint* PeakEwma::choose(Pick& pick) const {
  const Endpoint* first = draw_.one(pick);
  const Endpoint* second = first ? draw_.one(pick, first) : nullptr;
  if (!second) return first;
  return better(*first, cost(*first, pick), *second, cost(*second, pick));
}

}  // namespace weir::upstream
