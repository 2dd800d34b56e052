#include "plugins/rate_limit/quotas.h"

#include <algorithm>

#include "base/text.h"

namespace weir::plugins {

namespace {

constexpr uint64_t kMostCost = uint64_t{1} << 52;  // stores count in doubles

Duration interval_of(const store::Limit& limit) {
  return std::max(limit.per / static_cast<int64_t>(limit.count), Duration(1));
}

std::string policy_of(const QuotaSettings& settings) { return settings.name->empty() ? "default" : *settings.name; }

store::Limit in_slot(store::Limit limit, std::string_view slot) {
  limit.slot = slot;
  return limit;
}

}  // namespace

RateQuota::RateQuota(const QuotaSettings& settings, const std::string& name, std::string slot, Duration longest_delay)
    : texts_(std::make_unique<const Texts>(Texts{.policy = policy_of(settings),
                                                 .told = '"' + policy_of(settings) + "\";r=",
                                                 .name = name,
                                                 .share_name = name + "~local",
                                                 .part_name = name + "~part",
                                                 .slot = std::move(slot)})),
      key_(settings.key),
      cost_(settings.cost ? **settings.cost : Cost{}),
      limit_(in_slot(limit_of(settings, texts_->name), texts_->slot)),
      interval_(interval_of(limit_)) {
  limit_.largest_burst = stretched(longest_delay).burst;
}

uint64_t RateQuota::cost(Exchange& exchange) const {
  if (cost_.from.empty()) return cost_.fixed;
  const auto text = cost_.from.evaluate(exchange);
  if (const auto said = parse_decimal(text)) return std::clamp<uint64_t>(*said, 1, kMostCost);
  const bool is_above_64_bits = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  return is_above_64_bits ? kMostCost : 1;
}

store::Limit RateQuota::stretched(Duration delay) const {
  auto limit = limit_;
  if (limit.algorithm == store::Limit::Algorithm::gcra) limit.burst += static_cast<uint64_t>(delay / interval_);
  return limit;
}

store::Quota RateQuota::unstretched(store::Quota quota) const {
  if (quota.most <= limit_.burst || limit_.algorithm != store::Limit::Algorithm::gcra) return quota;
  quota.remaining -= std::min(quota.remaining, quota.most - limit_.burst);
  quota.most = limit_.burst;
  return quota;
}

Duration RateQuota::delay(const store::Quota& quota) const {
  if (limit_.algorithm != store::Limit::Algorithm::gcra || quota.most <= limit_.burst) return {};
  const Duration most = interval_ * static_cast<int64_t>(quota.most - limit_.burst);
  return std::clamp(quota.reset_after - interval_ * static_cast<int64_t>(limit_.burst), Duration::zero(), most);
}

store::Limit RateQuota::share(uint32_t instances, uint64_t cost) const {
  using Wide = unsigned __int128;
  const auto most = static_cast<Wide>(store::kCentury.count());
  const uint64_t burst = std::clamp<uint64_t>(cost, 1, limit_.burst);
  // What comes back so slowly that no limit may be it is as good as nothing, and the longest will do.
  const auto per =
      std::min({static_cast<Wide>(limit_.per.count()) * std::max(instances, 1U), most * limit_.count / burst, most});
  return {texts_->share_name, store::Limit::Algorithm::gcra, limit_.count, Duration(static_cast<int64_t>(per)), burst};
}

/// The key is new, so its quota is whole. What cannot be divided is as slow as it must be.
store::Limit RateQuota::part(uint32_t instances, uint64_t cost) const {
  auto part = limit_;
  const uint64_t among = std::max(instances, 1U);
  const bool is_even = part.algorithm == store::Limit::Algorithm::gcra;
  if (limit_.count >= among * (is_even ? 1 : std::max<uint64_t>(cost, 1))) {
    part.count /= among;
    part.burst = std::max({part.burst / among, std::min(cost, part.burst), uint64_t{1}});
  } else {
    part = share(instances, cost);
  }
  part.name = texts_->part_name;
  part.largest_burst = 0;
  part.slot = {};
  return part;
}

std::span<const store::Take> takes_of(std::span<const RateQuota> quotas, Exchange& exchange, Duration delay) {
  const size_t bytes = quotas.size() * sizeof(store::Take);
  auto* const takes = static_cast<store::Take*>(exchange.arena().bump(bytes, alignof(store::Take)));
  for (size_t i = 0; i < quotas.size(); ++i) {
    const auto& quota = quotas[i];
    const auto& limit =
        delay > Duration{} ? exchange.arena().make<store::Limit>(quota.stretched(delay)) : quota.limit();
    new (takes + i) store::Take{limit, quota.key(exchange), quota.cost(exchange), exchange.client.ip};
  }
  return {takes, quotas.size()};
}

}  // namespace weir::plugins
