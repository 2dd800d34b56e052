#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "plugins/cache/storage/order_table.h"

namespace weir::plugins {

/// The newest orders about all whose URL begins so: of so many prefixes, and so many bytes of them. One thread.
class PrefixOrders {
 public:
  static constexpr size_t kMost = 4096;
  static constexpr size_t kMostBytes = 1024 * 1024;

  /// The number of the newest order that had to go for it; 0 = none had to.
  uint64_t set(std::string_view prefix, PurgeForce force, uint64_t number);
  /// What the orders behind `since` say of this URL. As many steps as it has characters at the most, however many
  /// prefixes there are.
  PurgeVerdict judge(uint64_t since, std::string_view url) const;

 private:
  using Prefixes = std::map<std::string, LatestOrders, std::less<>>;

  Prefixes prefixes_;
  std::map<uint64_t, Prefixes::iterator> by_age_;  // by the newest order about each
  size_t bytes_ = 0;
};

}  // namespace weir::plugins
