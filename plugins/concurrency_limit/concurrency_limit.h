#pragma once

#include <memory>
#include <optional>
#include <string>

#include "exchange/filter_context.h"
#include "exchange/limit_key.h"
#include "plugins/concurrency_limit/places.h"

namespace weir::plugins {

struct LineSettings {
  uint32_t max = 0;
  Duration timeout = std::chrono::seconds(1);
};
void decode(config::Reader& r, LineSettings& settings);

struct ConcurrencyLimitSettings {
  enum class Status : uint16_t { too_many_requests = 429, unavailable = 503 };

  uint32_t max = 0;
  KeyExpression key;  // empty: all requests together
  config::Located<std::string> name;
  LineSettings queue;
  std::optional<Status> status;
  uint32_t max_keys = 65536;
};
void decode(config::Reader& r, ConcurrencyLimitSettings& settings);

/// Lets so many requests be in flight at once, of each key or in all, from their heads to the ends of their responses.
/// A few more may wait for their turn, first come, first served.
class ConcurrencyLimit : public Filter {
 public:
  ConcurrencyLimit(const ConcurrencyLimitSettings& settings, const FilterContext::Scope& scope, FilterContext& context);
  Task<> handle(Exchange& exchange, Next next) const override;

 private:
  Task<Result<Semaphore::Permit>> wait(Exchange& exchange, Semaphore& semaphore) const;
  void refuse(Exchange& exchange, SharedCount& cause, std::string_view why = {}) const;

  uint32_t max_;
  uint32_t max_keys_;
  LineSettings queue_;
  ErrorCode refusal_;
  std::string policy_;
  const std::string by_;
  std::optional<LimitKey> key_;
  std::shared_ptr<Places> places_;
  FilterMetrics::Hold held_;
  SharedCount& in_flight_;
  SharedCount& queued_;
  SharedCount& full_;
  SharedCount& timed_out_;
};

config::Tag<FilterFactory> concurrency_limit_filter();

}  // namespace weir::plugins
