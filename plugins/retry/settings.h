#pragma once

#include <string>
#include <vector>

#include "exchange/budget.h"
#include "exchange/conditions.h"

namespace weir::plugins {

struct BackoffSettings {
  Duration base = std::chrono::milliseconds(25);
  Duration max = std::chrono::milliseconds(250);
  bool operator==(const BackoffSettings&) const = default;
};
void decode(config::Reader& r, BackoffSettings& settings);

struct RetryBudgetSettings {
  Budget::Settings limits;
};
void decode(config::Reader& r, RetryBudgetSettings& settings);

struct RetrySettings {
  uint32_t attempts = 3;  // all tries
  Conditions on{"connect_failure", "refused_stream", "reset"};
  std::vector<std::string> methods;  // empty: those that are idempotent, or all with `non_idempotent`
  bool non_idempotent = false;
  bool idempotency_key = false;
  Duration per_try_timeout{};  // 0 = none
  BackoffSettings backoff;
  Duration retry_after_max = std::chrono::seconds(2);
  Bytes body{64 * 1024};
  RetryBudgetSettings budget;
};
void decode(config::Reader& r, RetrySettings& settings);

}  // namespace weir::plugins
