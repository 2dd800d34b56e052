#include "upstream/endpoint_set.h"

#include <algorithm>

#include "upstream/upstream_state.h"

namespace weir::upstream {

EndpointSet::EndpointSet(const UpstreamSettings& settings, std::vector<EndpointSpec> specs, UpstreamState& state,
                         Time now, std::vector<UnresolvedName> unresolved)
    : state_(state),
      thresholds_{settings.panic_threshold.value, settings.panic == Panic::automatic, settings.overprovisioning},
      policy_(settings.balance.value.policy),
      unresolved_(std::move(unresolved)) {
  const Health initial = settings.health_check ? settings.health_check->initial : Health::up;
  for (const bool is_backup : {false, true}) {
    for (auto& spec : specs) {
      if (spec.is_backup != is_backup) continue;
      auto known = state.endpoint(spec.address, now, initial);
      auto gate = settings.make_gate ? settings.make_gate(known->text) : nullptr;
      endpoints_.push_back({std::move(known), std::move(spec.authority), spec.weight, is_backup, spec.max_requests,
                            spec.max_connections, static_cast<uint32_t>(endpoints_.size()), std::move(gate)});
    }
    if (!is_backup) primary_count_ = endpoints_.size();
  }
  if (!primaries().empty()) primary_balancer_ = make_balancer(settings.balance.value, primaries());
  if (!backups().empty()) backup_balancer_ = make_balancer(settings.balance.value, backups());
}

/// One that waits for a place on an endpoint stands before all that come later, which other endpoints could serve. So a
/// retry takes a place on an endpoint that it has tried rather than wait for another.
EndpointSet::Choice EndpointSet::choose(Pick pick) const {
  const Choice choice = choose_untried(pick);
  if (!choice.is_full || !pick.tried || pick.is_only_untried) return choice;
  pick.tried = nullptr;
  return choose_untried(pick);
}

/// Those not tried before any again.
EndpointSet::Choice EndpointSet::choose_untried(Pick pick) const {
  Reach reach = this->reach();
  if (reach.is_panic && pick.is_probe && reach.has_healthy) reach = {};
  if (reach.is_panic) state_.health.count_panic_request();
  const Group primary{primaries(), primary_balancer_.get(), reach.primaries};
  const Group backup{backups(), backup_balancer_.get(), reach.backups};
  const bool spills = reach.primary_share < Reach::kWhole && pick.random.below(Reach::kWhole) >= reach.primary_share;
  for (;;) {
    if (const auto choice = choose_among(spills ? backup : primary, pick)) return *choice;
    if (const auto choice = choose_among(spills ? primary : backup, pick)) return *choice;
    if (pick.heeds_pauses) {
      pick.heeds_pauses = false;  // no other is left
    } else if (pick.tried && !pick.is_only_untried) {
      pick.tried = nullptr;  // all have been tried: any again
      pick.heeds_pauses = true;
    } else {
      return {};
    }
  }
}

Reach EndpointSet::reach() const {
  const uint64_t version = state_.health.version();
  const uint64_t last = reach_.load(std::memory_order_relaxed);
  return last >> Reach::kBits == version ? Reach::unpacked(last) : work_out_reach(version);
}

/// Workers that do so at once come to the same.
Reach EndpointSet::work_out_reach(uint64_t version) const {
  const Reach reach = reach_of(primaries(), backups(), thresholds_);
  reach_.store(version << Reach::kBits | reach.packed(), std::memory_order_relaxed);
  state_.health.panic(reach.is_panic, reach.healthy, reach.usable);
  return reach;
}

std::optional<EndpointSet::Choice> EndpointSet::choose_among(const Group& group, Pick& pick) {
  if (!group.balancer) return std::nullopt;
  pick.worst = group.worst;
  if (const Endpoint* endpoint = group.balancer->choose(pick)) return Choice{endpoint};
  const auto waits = [&](const Endpoint& endpoint) { return pick.is_eligible(endpoint); };
  if (std::ranges::any_of(group.endpoints, waits)) return Choice{nullptr, true};
  return std::nullopt;
}

}  // namespace weir::upstream
