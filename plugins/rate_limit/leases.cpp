#include "plugins/rate_limit/leases.h"

#include <algorithm>

namespace weir::plugins {

std::optional<store::Decision> Leases::use(Arena& arena, std::string_view key, uint64_t cost, Time now) {
  Lease* lease = leases_.find(key, now);
  if (!lease || lease->tokens < cost) return std::nullopt;
  lease->tokens -= cost;
  const auto quotas = arena.make_list<store::Quota>(lease->quotas.size());
  std::ranges::copy(lease->quotas, quotas.begin());
  for (auto& quota : quotas) quota.remaining += lease->tokens;
  return store::Decision{true, quotas};
}

bool Leases::has_room_for(std::string_view key, Time now) {
  leases_.sweep(now);
  return !leases_.is_full() || leases_.find(key, now);
}

void Leases::add(std::string_view key, const store::Decision& decision, uint64_t tokens, Time now, Time until) {
  if (Lease* lease = leases_.find(key, now)) {
    lease->quotas.assign(decision.quotas.begin(), decision.quotas.end());
    lease->tokens += tokens;
    leases_.keep_at_least_until(key, until);
    return;
  }
  leases_.put(key, {{decision.quotas.begin(), decision.quotas.end()}, tokens}, until);
}

}  // namespace weir::plugins
