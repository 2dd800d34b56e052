#pragma once

#include <memory>
#include <string>

#include "exchange/budget.h"
#include "exchange/exchange.h"
#include "exchange/filter_context.h"
#include "plugins/hedge/tail_latency.h"

namespace weir::plugins {

struct HedgeBudgetSettings {
  Budget::Settings limits{.ratio = {0.05}, .min = 1, .concurrent = 1};
};
void decode(config::Reader& r, HedgeBudgetSettings& settings);

struct HedgeSettings {
  std::optional<Duration> after;  // nothing: the route's 95th percentile
  Duration min = std::chrono::milliseconds(5);
  Bytes body{64 * 1024};
  HedgeBudgetSettings budget;
};
void decode(config::Reader& r, HedgeSettings& settings);

/// Sends a safe request a second time, to another endpoint, when the first has no answer for so long; the first answer
/// that is no error goes to the client, the other attempt is cancelled.
class Hedge : public Filter {
 public:
  Hedge(HedgeSettings settings, std::string route, std::shared_ptr<Budget> budget, std::shared_ptr<TailLatency> latency,
        FilterMetrics& metrics);
  Task<> handle(Exchange& exchange, Next next) const override;

 private:
  class Count;
  std::optional<Duration> delay() const;
  Task<> race(Exchange& exchange, Next next, Duration delay) const;
  Exchange::ChildPtr second(Exchange& exchange, const Exchange::Mark& mark, FairShare::Place& leave) const;
  SharedCount& counter(const char* outcome) const;

  const HedgeSettings settings_;
  const std::string route_;
  std::shared_ptr<Budget> budget_;  // shared with other snapshots, as is the latency
  std::shared_ptr<TailLatency> latency_;
  FilterMetrics& metrics_;
};

config::Tag<FilterFactory> hedge_filter();

}  // namespace weir::plugins
