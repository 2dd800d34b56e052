#pragma once

#include <memory>
#include <vector>

#include "base/fair_share.h"
#include "exchange/filter_context.h"
#include "plugins/rate_limit/decisions.h"
#include "plugins/rate_limit/exempt.h"
#include "plugins/rate_limit/fields.h"
#include "plugins/rate_limit/leases.h"
#include "plugins/rate_limit/quotas.h"

namespace weir::plugins {

/// Lets each key have so many requests in so long, counted in the store: over the process, or over a fleet.
class RateLimit : public Filter {
 public:
  RateLimit(const RateLimitSettings& settings, const FilterContext::Scope& scope, FilterContext& context);
  Task<> handle(Exchange& exchange, Next next) const override;

 private:
  using Takes = std::span<const store::Take>;

  Duration longest_delay(const Exchange& exchange) const;
  Task<Result<store::Decision>> take(Exchange& exchange, Takes takes) const;
  Task<Result<store::Decision>> take_leased(Exchange& exchange, Takes takes) const;
  Task<Result<store::Decision>> take_left_out(Exchange& exchange, Takes takes, store::Decision decision) const;
  void watch(Exchange& exchange, const store::Decision& decision) const;
  size_t slowest(const store::Decision& decision) const;
  FairShare::Place seat(Exchange& exchange, Takes takes) const;
  Task<> handle_without_store(Exchange& exchange, Next next, Takes takes) const;
  Task<> handle_locally(Exchange& exchange, Next next, Takes takes) const;
  Task<> delay(Exchange& exchange, Duration time) const;
  void refuse_late(Exchange& exchange, Duration wait) const;
  void refuse(Exchange& exchange, const store::Decision& decision) const;

  std::vector<RateQuota> quotas_;
  const std::string by_;
  Mode mode_;
  store::OnFailure on_store_failure_;
  QuotaFields fields_;
  Exempt exempt_;
  Duration max_delay_;
  int64_t max_waiting_;
  uint64_t lease_;
  FilterMetrics::Hold held_;
  RateDecisions decisions_;
  SharedCount& left_out_;
  SharedCount& delayed_now_;
  std::shared_ptr<FairShare> waiting_room_;  // of a throttle
  std::shared_ptr<PerWorker<Leases>> leases_;
};

config::Tag<FilterFactory> rate_limit_filter();

}  // namespace weir::plugins
