#include "plugins/cache/storage/prefix_orders.h"

namespace weir::plugins {

uint64_t PrefixOrders::set(std::string_view prefix, PurgeForce force, uint64_t number) {
  const auto [at, is_new] = prefixes_.try_emplace(std::string(prefix));
  if (is_new) bytes_ += prefix.size();
  else by_age_.erase(at->second.newest());
  at->second.of(force) = number;
  by_age_.emplace(number, at);
  uint64_t forgotten = 0;
  while (prefixes_.size() > kMost || (bytes_ > kMostBytes && prefixes_.size() > 1)) {
    const auto oldest = by_age_.begin();
    forgotten = oldest->first;
    bytes_ -= oldest->second->first.size();
    prefixes_.erase(oldest->second);
    by_age_.erase(oldest);
  }
  return forgotten;
}

/// From the longest prefix to the shortest: what stands right before a text in the order of the alphabet is the longest
/// prefix of it, or has all others in common with it.
PurgeVerdict PrefixOrders::judge(uint64_t since, std::string_view url) const {
  auto verdict = PurgeVerdict::keep;
  for (auto at = prefixes_.upper_bound(url); at != prefixes_.begin(); at = prefixes_.upper_bound(url)) {
    const auto& [prefix, latest] = *--at;
    const auto common = static_cast<size_t>(std::ranges::mismatch(url, prefix).in1 - url.begin());
    const bool is_prefix = common == prefix.size();
    if (is_prefix) verdict = std::max(verdict, latest.verdict(since));
    url = url.substr(0, is_prefix ? common - 1 : common);
  }
  return verdict;
}

}  // namespace weir::plugins
