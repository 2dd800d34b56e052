#include "plugins/rate_limit/exempt.h"

#include <algorithm>

namespace weir::plugins {

Exempt::Exempt(const ExemptSettings& settings) : keys_(settings.keys) {
  for (const auto& client : settings.clients) clients_.add(*client);
  for (const auto& condition : settings.when) {
    when_.push_back({KeyExpression::parse(condition.name).value_or(KeyExpression()), condition.value});
  }
}

bool Exempt::has(Exchange& exchange, std::span<const RateQuota> quotas) const {
  const auto is_among = [](const std::vector<std::string>& values, std::string_view value) {
    return std::ranges::find(values, value) != values.end();
  };
  const auto has_key = [&](const RateQuota& quota) {
    const auto value = quota.value(exchange);
    return !value.empty() && is_among(keys_, value);
  };
  return clients_.contain(exchange.client) || (!keys_.empty() && std::ranges::any_of(quotas, has_key)) ||
         std::ranges::any_of(when_,
                             [&](const auto& when) { return is_among(when.values, when.key.evaluate(exchange)); });
}

}  // namespace weir::plugins
