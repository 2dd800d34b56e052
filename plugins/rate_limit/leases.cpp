#include "plugins/rate_limit/leases.h"

namespace weir::plugins {

std::optional<store::Decision> Leases::use(std::string_view key, uint64_t cost, Time now) {
  Lease* lease = leases_.find(key, now);
  if (!lease || lease->tokens < cost) return std::nullopt;
  lease->tokens -= cost;
  auto decision = lease->decision;
  for (size_t i = 0; i < decision.count; ++i) decision.quotas[i].remaining += lease->tokens;
  return decision;
}

void Leases::add(std::string_view key, const store::Decision& decision, uint64_t tokens, Time now, Time until) {
  if (Lease* lease = leases_.find(key, now)) {
    lease->decision = decision;
    lease->tokens += tokens;
    leases_.keep_at_least_until(key, until);
    return;
  }
  leases_.sweep(now);
  leases_.put(key, {decision, tokens}, until);
  leases_.shrink();
}

}  // namespace weir::plugins
