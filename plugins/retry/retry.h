#pragma once

#include <memory>
#include <string>

#include "exchange/filter_context.h"
#include "plugins/retry/backoff.h"
#include "plugins/retry/settings.h"

namespace weir::plugins {

/// Tries again what has failed, when that does no harm: the filters behind it run once for each try, and the balancer
/// prefers endpoints that have had none. Nothing is tried again once the client has been sent a byte of a response.
class Retry : public Filter {
 public:
  Retry(RetrySettings settings, std::string route, std::shared_ptr<Budget> budget,
        std::shared_ptr<PerWorker<Backoff>> backoff, FilterMetrics& metrics);
  Task<> handle(Exchange& exchange, Next next) const override;

 private:
  class Outcome;
  enum class Refusal : uint8_t { attempts, budget, body, deadline, retry_after };

  /// How long to wait before the next try; or why there is none.
  std::expected<Duration, Refusal> delay_before(Exchange& exchange, uint32_t tried) const;
  void refuse(Exchange& exchange, Refusal refusal) const;

  RetrySettings settings_;
  std::string route_;
  std::shared_ptr<Budget> budget_;  // shared with other snapshots
  std::shared_ptr<PerWorker<Backoff>> backoff_;
  FilterMetrics& metrics_;
  SharedCount& under_way_;
};

config::Tag<FilterFactory> retry_filter();

}  // namespace weir::plugins
