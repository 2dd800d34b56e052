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
  /// `name` is its limit's in the store, `slot` where it is kept ("": where its key is); `max_delay`: how far ahead of
  /// its time a request may come and wait.
  RateQuota(const QuotaSettings& settings, const std::string& name, std::string slot, Duration max_delay);

  const std::string& policy() const { return texts_->policy; }  // what clients call it: a token
  const std::string& told() const { return texts_->told; }      // `"policy";r=`, as a RateLimit field begins
  const store::Limit& limit() const { return limit_; }
  /// The time in which the limit gives one back.
  Duration interval() const { return interval_; }
  std::string_view key(Exchange& exchange) const { return key_.of(exchange); }
  uint64_t cost(Exchange& exchange) const;

  /// The limit with as much more burst as `max_delay` gives back. A request out of that part has to wait.
  const store::Limit& stretched() const { return stretched_; }
  /// How a quota of `stretched` stands in terms of `limit`.
  store::Quota unstretched(store::Quota quota) const;
  /// The delay of a request admitted by `stretched`: at most the time by which the limit was stretched, whatever the
  /// store says.
  Duration delay(const store::Quota& quota) const;

  /// This process' share while the store is gone: the rate, over so many, and no burst.
  store::Limit share(uint32_t instances, uint64_t cost) const;

 private:
  struct Texts {
    std::string policy;
    std::string told;
    std::string name;
    std::string share_name;
    std::string slot;
  };
  std::unique_ptr<const Texts> texts_;  // where limits find theirs, wherever this is moved
  LimitKey key_;
  Cost cost_;
  store::Limit limit_;
  Duration interval_;
  store::Limit stretched_;
};

/// What a request asks of all quotas of its filter, in its arena. `delayed`: it would wait for its turn.
enum class Reach : uint8_t { now, delayed };
std::span<const store::Take> takes_of(std::span<const RateQuota> quotas, Exchange& exchange, Reach reach);

}  // namespace weir::plugins
