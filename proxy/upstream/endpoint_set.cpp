#include "upstream/endpoint_set.h"

#include <algorithm>

#include "upstream/upstream_state.h"

namespace weir::upstream {

EndpointSet::EndpointSet(const UpstreamSettings& settings, std::vector<EndpointSpec> specs, UpstreamState& state,
                         Time now)
    : policy_(settings.balance.value.policy) {
  for (const bool is_backup : {false, true}) {
    for (auto& spec : specs) {
      if (spec.is_backup != is_backup) continue;
      endpoints_.push_back({state.endpoint(spec.address, now), std::move(spec.authority), spec.weight, is_backup,
                            spec.max_requests, spec.max_connections, static_cast<uint32_t>(endpoints_.size())});
    }
    if (!is_backup) primary_count_ = endpoints_.size();
  }
  if (!primaries().empty()) primary_balancer_ = make_balancer(settings.balance.value, primaries());
  if (!backups().empty()) backup_balancer_ = make_balancer(settings.balance.value, backups());
}

EndpointSet::Choice EndpointSet::choose(Pick pick) const {
  for (;;) {
    if (const auto choice = choose_among(primaries(), primary_balancer_.get(), pick)) return *choice;
    if (const auto choice = choose_among(backups(), backup_balancer_.get(), pick)) return *choice;
    if (!pick.tried || pick.is_only_untried) return {};
    pick.tried = nullptr;  // all have been tried: any again
  }
}

std::optional<EndpointSet::Choice> EndpointSet::choose_among(std::span<const Endpoint> group, const Balancer* balancer,
                                                             Pick& pick) const {
  if (!balancer) return std::nullopt;
  if (const Endpoint* endpoint = balancer->choose(pick)) return Choice{endpoint};
  const auto waits = [&](const Endpoint& endpoint) { return pick.is_eligible(endpoint); };
  if (std::ranges::any_of(group, waits)) return Choice{nullptr, true};
  return std::nullopt;
}

}  // namespace weir::upstream
