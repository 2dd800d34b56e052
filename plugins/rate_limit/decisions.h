#pragma once

#include <array>
#include <string>

#include "exchange/filter_metrics.h"

namespace weir::plugins {

/// How a rate_limit decided: the values of a counter's label.
enum class RateDecision : uint8_t {
  allowed,
  refused,
  beyond,        // asked for more than the limit ever gives
  would_refuse,  // in shadow mode
  delayed,       // by throttle
  exempt,
  store_failed,   // the store was gone: passed uncounted
  store_denied,   // the store was gone: refused uncounted
  local_allowed,  // the store was gone: within this process' share
  local_refused,
};

class RateDecisions {
 public:
  RateDecisions(FilterMetrics& metrics, const std::string& route, const std::string& limiter) {
    for (size_t i = 0; i < kNames.size(); ++i) {
      counts_[i] = &metrics.counter("rate_limit_decisions", "Requests by what a rate limit made of them",
                                    {{"route", route}, {"limiter", limiter}, {"decision", kNames[i]}});
    }
  }
  void count(RateDecision decision) const { counts_[static_cast<size_t>(decision)]->add(); }

 private:
  static constexpr std::array kNames{"allowed", "refused",      "beyond",       "would_refuse",  "delayed",
                                     "exempt",  "store_failed", "store_denied", "local_allowed", "local_refused"};
  std::array<SharedCount*, kNames.size()> counts_{};
};

}  // namespace weir::plugins
