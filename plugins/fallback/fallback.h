#pragma once

#include "exchange/exchange.h"
#include "exchange/filter_context.h"
#include "plugins/fallback/settings.h"

namespace weir::plugins {

/// Keeps a failure of the rest of the chain from the client: has a cache answer with what it has, asks another
/// upstream, answers by itself. The first step whose conditions hold is taken; when another upstream fails, too, the
/// steps after it are looked at.
class Fallback : public Filter {
 public:
  struct Step {
    FallbackStep settings;
    std::string label;   // in metrics
    std::string mark;    // in the response's field
    std::string within;  // of Kind::stale: seconds, in digits
  };
  Fallback(const FallbackSettings& settings, std::string route, FilterMetrics& metrics);
  Task<> handle(Exchange& exchange, Next next) const override;

 private:
  Task<bool> answer_stored(Exchange& exchange, Next next, const Exchange::Mark& mark, const Step& step) const;
  bool may_ask_another(const Exchange& exchange) const;
  void answer(Exchange& exchange, const FallbackStep& step) const;
  void take(Exchange& exchange, const Step& step, std::string_view cause) const;

  std::vector<Step> steps_;
  const bool non_idempotent_;
  const size_t body_;
  const std::string header_;
  const std::string route_;
  FilterMetrics& metrics_;
};

config::Tag<FilterFactory> fallback_filter();

}  // namespace weir::plugins
