#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/exchange.h"
#include "exchange/limit_key.h"
#include "plugins/rate_limit/settings.h"
#include "store/limit.h"
#include "store/store.h"

namespace weir::plugins {

/// One quota of a rate_limit: by what it counts, how much a request takes, and from which limit.
class RateQuota {
 public:
  /// `limit` is its limit in the store, `max_delay` how far ahead of its time a request may come and wait.
  RateQuota(const QuotaSettings& settings, store::Limit limit, Duration max_delay);

  const std::string& policy() const { return policy_; }  // what clients call it: a token
  const store::Limit& limit() const { return limit_; }
  std::string_view key(Exchange& exchange) const { return key_.of(exchange); }
  uint64_t cost(Exchange& exchange) const;

  /// The limit with as much more burst as `max_delay` gives back. A request out of that part has to wait.
  const store::Limit& stretched() const { return stretched_; }
  /// How a quota of `stretched` stands in terms of `limit`.
  store::Quota unstretched(store::Quota quota) const;
  /// How long a request that `stretched` has let in must wait to be in time.
  Duration delay(const store::Quota& quota) const;

  /// This process' share while the store is gone: the rate, over so many, and no burst.
  store::Limit share(uint32_t instances, uint64_t cost) const;

 private:
  std::string policy_;
  LimitKey key_;
  Cost cost_;
  store::Limit limit_;
  store::Limit stretched_;
};

/// The time in which `limit` gives one back.
Duration interval_of(const store::Limit& limit);

/// What a request asks of all quotas of its filter, in its arena. `delayed`: it would wait for its turn.
enum class Reach : uint8_t { now, delayed };
std::span<const store::Take> takes_of(std::span<const RateQuota> quotas, Exchange& exchange, Reach reach);

}  // namespace weir::plugins
