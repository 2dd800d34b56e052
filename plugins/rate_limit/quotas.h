#pragma once

#include <memory>
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
  /// `name` is its limit's in the store, `slot` where it is kept ("": where its key is). `longest_delay`: the most that
  /// its limit is ever stretched by.
  RateQuota(const QuotaSettings& settings, const std::string& name, std::string slot, Duration longest_delay);

  const std::string& policy() const { return texts_->policy; }  // what clients call it: a token
  const std::string& told() const { return texts_->told; }      // `"policy";r=`, as a RateLimit field begins
  const store::Limit& limit() const { return limit_; }
  /// The time in which the limit gives one back.
  Duration interval() const { return interval_; }
  std::string_view key(Exchange& exchange) const { return key_.of(exchange); }
  /// What `exempt.keys` is compared with.
  std::string_view value(Exchange& exchange) const { return key_.value(exchange); }
  uint64_t cost(Exchange& exchange) const;

  /// The limit with as much more burst as `delay` gives back. A request out of that part has to wait.
  store::Limit stretched(Duration delay) const;
  /// How a quota of a stretched limit stands in terms of `limit`.
  store::Quota unstretched(store::Quota quota) const;
  /// The delay of a request admitted by a stretched limit: at most the time by which the limit was stretched, whatever
  /// the store says.
  Duration delay(const store::Quota& quota) const;

  /// This process' share while the store is gone: the rate, over so many, and no burst.
  store::Limit share(uint32_t instances, uint64_t cost) const;
  /// This process' part of a quota that the shared store has no room for: rate and burst, over so many.
  store::Limit part(uint32_t instances, uint64_t cost) const;

 private:
  struct Texts {
    std::string policy;
    std::string told;
    std::string name;
    std::string share_name;
    std::string part_name;
    std::string slot;
  };
  std::unique_ptr<const Texts> texts_;  // where limits find theirs, wherever this is moved
  LimitKey key_;
  Cost cost_;
  store::Limit limit_;
  Duration interval_;
};

/// What a request asks of all quotas of its filter, in its arena. It would wait so long for its turn.
std::span<const store::Take> takes_of(std::span<const RateQuota> quotas, Exchange& exchange, Duration delay);

}  // namespace weir::plugins
