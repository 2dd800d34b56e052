#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "store/redis_keys.h"

namespace weir::store {

/// A limit in the words of scripts/take.lua.
struct RedisLimit {
  RedisLimit(std::string_view prefix, const Limit& limit);
  RedisLimit(const RedisLimit&) = delete;
  RedisLimit& operator=(const RedisLimit&) = delete;

  std::string name;
  std::string slot;
  Limit limit;  // with these texts
  QuotaKeys keys;
  std::string terms;  // five words of a command, as they are sent
  uint64_t most;      // that it ever gives at once
};

/// The limits that were asked for of late, each put into words once. One thread.
class RedisLimits {
 public:
  explicit RedisLimits(std::string_view prefix) : prefix_(prefix) {}
  /// Until the next call.
  const RedisLimit& of(const Limit& limit);

 private:
  std::string prefix_;
  std::array<std::unique_ptr<RedisLimit>, 128> kept_;  // by address: a caller's limit stays where it is
};

uint64_t most_of(const Limit& limit);

}  // namespace weir::store
