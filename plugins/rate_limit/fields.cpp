#include "plugins/rate_limit/fields.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/hash.h"

namespace weir::plugins {

namespace {

using namespace std::chrono_literals;
using Algorithm = store::Limit::Algorithm;

constexpr size_t kMostDigits = 20;

/// Whole seconds, rounded up. Differences of a store's numbers may be negative: 0 then.
uint64_t seconds_of(Duration time) {
  return static_cast<uint64_t>(std::chrono::ceil<std::chrono::seconds>(std::max(time, Duration::zero())).count());
}

/// "q" requests in "w" seconds: at least one second, since a window is told in whole ones.
std::string policy_of(const RateQuota& quota) {
  const auto& limit = quota.limit();
  uint64_t count = limit.count;
  Duration window = limit.per;
  if (limit.algorithm == Algorithm::gcra) {
    const Duration interval = quota.interval();
    count = std::max(limit.burst, static_cast<uint64_t>(1s / interval));
    window = std::max<Duration>(interval * static_cast<int64_t>(limit.burst), 1s);
  }
  return "\"" + quota.policy() + "\";q=" + std::to_string(count) + ";w=" + std::to_string(seconds_of(window));
}

/// Until one more can be had than now.
Duration until_more(const RateQuota& rate_quota, const store::Quota& quota) {
  const auto& limit = rate_quota.limit();
  if (limit.algorithm == Algorithm::sliding_window && quota.reset_after > limit.per) {
    return quota.reset_after - limit.per;
  }
  if (limit.algorithm == Algorithm::sliding_log && !quota.allowed) return quota.retry_after;
  if (limit.algorithm != Algorithm::gcra) return quota.reset_after;
  const uint64_t beyond = quota.most - std::min(quota.remaining + 1, quota.most);
  return quota.reset_after - rate_quota.interval() * static_cast<int64_t>(beyond);
}

/// Calendar windows end for everybody at once: clients are told to come back one after the other.
Duration spread(const store::Limit& limit, std::string_view client) {
  if (limit.algorithm != Algorithm::fixed_window) return {};
  const auto most = std::min<Duration>(limit.per / 20, 60s) / 1s;
  return most ? std::chrono::seconds(hash(client) % static_cast<uint64_t>(most)) : 0s;
}

std::string_view decimal(Arena& arena, uint64_t number) {
  char digits[kMostDigits];
  return arena.copy({digits, static_cast<size_t>(std::to_chars(digits, std::end(digits), number).ptr - digits)});
}

char* write(char* at, std::string_view text) {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}
char* write(char* at, uint64_t number) { return std::to_chars(at, at + kMostDigits, number).ptr; }

/// Of a refusal only the quotas that refuse tell a time, so that none is later than Retry-After.
std::string_view quotas_now(Exchange& exchange, std::span<const RateQuota> quotas, const store::Decision& decision) {
  size_t most = 0;
  for (const auto& quota : quotas) most += quota.told().size() + 2 * kMostDigits + std::string_view(", ;t=").size();
  auto* const begin = static_cast<char*>(exchange.arena().bump(most, 1));
  char* at = begin;
  for (size_t i = 0; i < quotas.size(); ++i) {
    const auto quota = quotas[i].unstretched(decision.quotas[i]);
    if (i > 0) at = write(at, ", ");
    at = write(write(at, quotas[i].told()), quota.remaining);
    const bool tells_time = decision.allowed ? quota.remaining < quota.most : !quota.allowed && !quota.is_beyond;
    if (!tells_time) continue;
    const auto wait = quota.allowed ? until_more(quotas[i], quota) : quota.retry_after;
    at = write(write(at, ";t="), seconds_of(wait + spread(quotas[i].limit(), exchange.client.ip)));
  }
  return {begin, at};
}

/// The one with the least left; of those, one that refuses.
size_t tightest(std::span<const RateQuota> quotas, const store::Decision& decision) {
  const auto left = [&](size_t i) {
    const auto quota = quotas[i].unstretched(decision.quotas[i]);
    return std::pair(quota.remaining, quota.allowed);
  };
  size_t tightest = 0;
  for (size_t i = 1; i < quotas.size(); ++i) {
    if (left(i) < left(tightest)) tightest = i;
  }
  return tightest;
}

void add_legacy(Exchange& exchange, const RateQuota& rate_quota, const store::Quota& stretched) {
  const auto quota = rate_quota.unstretched(stretched);
  auto& arena = exchange.arena();
  auto& headers = exchange.response.head.headers;
  if (const auto told = headers.get("x-ratelimit-remaining")) {
    const auto theirs = parse_decimal(*told);
    if (!theirs || *theirs <= quota.remaining) return;
  }
  headers.set("x-ratelimit-limit", decimal(arena, quota.most));
  headers.set("x-ratelimit-remaining", decimal(arena, quota.remaining));
  headers.set("x-ratelimit-reset", decimal(arena, seconds_of(quota.reset_after)));
}

}  // namespace

QuotaFields::QuotaFields(std::span<const RateQuota> quotas, QuotaFieldSet which) : which_(which) {
  for (const auto& quota : quotas) policies_ += (policies_.empty() ? "" : ", ") + policy_of(quota);
}

void QuotaFields::add(Exchange& exchange, std::span<const RateQuota> quotas, const store::Decision& decision) const {
  auto& headers = exchange.response.head.headers;
  if (which_ == QuotaFieldSet::standard || which_ == QuotaFieldSet::both) {
    headers.add("ratelimit-policy", policies_, http::Field::other);
    headers.add("ratelimit", quotas_now(exchange, quotas, decision), http::Field::other);
  }
  if (which_ == QuotaFieldSet::legacy || which_ == QuotaFieldSet::both) {
    const size_t i = tightest(quotas, decision);
    add_legacy(exchange, quotas[i], decision.quotas[i]);
  }
}

void QuotaFields::add_retry_after(Exchange& exchange, std::span<const RateQuota> quotas,
                                  const store::Decision& decision) {
  Duration wait = 1s;
  for (size_t i = 0; i < quotas.size(); ++i) {
    const auto& quota = decision.quotas[i];
    if (quota.is_beyond) return;
    if (!quota.allowed) wait = std::max(wait, quota.retry_after + spread(quotas[i].limit(), exchange.client.ip));
  }
  exchange.response.head.headers.set("retry-after", decimal(exchange.arena(), seconds_of(wait)),
                                     http::Field::retry_after);
}

}  // namespace weir::plugins
