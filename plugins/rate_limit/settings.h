#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/reader.h"
#include "exchange/key_expression.h"
#include "store/limit.h"
#include "store/on_failure.h"

namespace weir::plugins {

/// What a request takes from its quota: a number, or a key whose value is one (1 when it isn't).
struct Cost {
  uint64_t fixed = 1;
  KeyExpression from;
};

/// One quota, as it is written.
struct QuotaSettings {
  config::Located<std::string> name;
  std::optional<config::Located<Rate>> rate;       // there is one, unless `limits` are in its place
  std::optional<config::Located<uint64_t>> burst;  // left out: the rate's count
  std::optional<config::Located<store::Limit::Algorithm>> algorithm;
  KeyExpression key;
  std::optional<config::Located<Cost>> cost;
};

struct ExemptSettings {
  std::vector<config::Located<std::string>> clients;
  std::vector<std::string> keys;
  std::vector<config::Named<std::vector<std::string>>> when;
};

enum class Mode : uint8_t { enforce, shadow, throttle };
enum class QuotaFieldSet : uint8_t { standard, legacy, both, none };

struct RateLimitSettings {
  QuotaSettings quota;
  std::vector<QuotaSettings> limits;  // empty: `quota` is the one
  Mode mode = Mode::enforce;
  std::optional<store::OnFailure> on_store_failure;
  QuotaFieldSet headers = QuotaFieldSet::standard;
  ExemptSettings exempt;
  Duration max_delay = std::chrono::seconds(1);
  uint32_t max_waiting = 1000;
  config::Located<uint32_t> lease{1};
};
void decode(config::Reader& r, QuotaSettings& settings);
void decode(config::Reader& r, ExemptSettings& settings);
void decode(config::Reader& r, RateLimitSettings& settings);

/// The block's one quota, or its `limits`, in which what was left out is as in the block around them.
std::vector<QuotaSettings> quotas_of(const RateLimitSettings& settings);

/// What the store is asked for. `name` outlives it.
store::Limit limit_of(const QuotaSettings& settings, std::string_view name);

}  // namespace weir::plugins

namespace weir::config {

template <>
struct Type<plugins::Cost> {
  static void read(Reader& r, plugins::Cost& out);
};

}  // namespace weir::config
