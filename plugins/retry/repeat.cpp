#include "plugins/retry/repeat.h"

#include <algorithm>

#include "http/date.h"

namespace weir::plugins {

namespace {

constexpr uint16_t kRequestTimeout = 408;
constexpr uint16_t kTooEarly = 425;
constexpr uint16_t kTooManyRequests = 429;

/// A response's status; 0 for an error of Weir's own making.
uint16_t status_of(const Exchange& exchange) { return exchange.failure ? 0 : exchange.response.head.status; }

}  // namespace

bool was_not_looked_at(const Exchange& exchange) {
  if (exchange.failure) return exchange.failure->retry == RetrySafe::yes;
  const auto status = status_of(exchange);
  if (status == kTooEarly) return true;
  // What an endpoint says of an idle connection as it closes it.
  return status == kRequestTimeout && !exchange.attempts.empty() && exchange.attempts.back().has_crossed;
}

bool may_be_repeated(const Exchange& exchange, const RetrySettings& settings) {
  const auto& request = exchange.request;
  if (settings.idempotency_key && request.headers.get("idempotency-key")) return true;
  if (!settings.non_idempotent && !http::is_idempotent(request.method)) return false;
  return settings.methods.empty() || std::ranges::find(settings.methods, request.method_name) != settings.methods.end();
}

bool is_worth_repeating(const Exchange& exchange, const RetrySettings& settings) {
  if (exchange.failure && exchange.failure->side == Side::client) return false;
  if (settings.on.match(exchange, Conditions::Own::no).empty()) return false;
  if (status_of(exchange) == kTooManyRequests && !retry_after(exchange)) return false;
  return was_not_looked_at(exchange) || may_be_repeated(exchange, settings);
}

bool found_no_connection(const Exchange& exchange, size_t attempts) {
  return exchange.failure && exchange.attempts.size() > attempts && exchange.attempts.back().connected == Time{};
}

/// A number without a bound would overflow a Duration.
static Duration at_most_a_day(uint64_t seconds) {
  return std::chrono::seconds(std::min<uint64_t>(seconds, 24 * 60 * 60));
}

std::optional<Duration> retry_after(const Exchange& exchange) {
  const auto value = exchange.response.head.headers.get(http::Field::retry_after);
  if (!value) return std::nullopt;
  const bool is_number = !value->empty() && value->find_first_not_of("0123456789") == std::string_view::npos;
  if (is_number) return at_most_a_day(parse_decimal(*value).value_or(UINT64_MAX));
  const auto date = http::parse_date(*value);
  if (!date) return std::nullopt;
  const auto now = std::chrono::floor<std::chrono::seconds>(exchange.worker.loop.clock().wall());
  const auto left = std::chrono::floor<std::chrono::seconds>(*date) - now;
  return at_most_a_day(static_cast<uint64_t>(std::max<int64_t>(left.count(), 0)));
}

}  // namespace weir::plugins
