#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/reader.h"
#include "store/on_failure.h"
#include "store/redis_settings.h"

namespace weir::runtime {

/// Sentinels, who know where the master is.
struct SentinelSettings {
  std::string master;
  std::vector<config::Located<std::string>> nodes;  // "host:26379"
  std::string user;                                 // of the sentinels themselves
  std::string password;
  std::vector<store::RedisAddress> addresses;  // of `nodes`
};

/// The block `store`: embedded in this process, or in a Redis that a fleet shares.
struct StoreSettings {
  std::vector<config::Located<std::string>> redis;
  bool is_cluster = false;
  std::optional<SentinelSettings> sentinel;
  std::string user;
  std::string password;
  uint32_t database = 0;
  std::string prefix = "weir:";
  Duration timeout = std::chrono::milliseconds(50);
  Bytes max_size{64 << 20};
  store::OnFailure on_failure = store::OnFailure::allow;
  std::vector<store::RedisAddress> addresses;  // of `redis`

  bool is_embedded() const { return addresses.empty() && !sentinel; }
  /// Of a store that isn't embedded.
  store::RedisSettings settings(net::ResolverSettings resolver) const;
};

void decode(config::Reader& r, SentinelSettings& out);
void decode(config::Reader& r, StoreSettings& out);

}  // namespace weir::runtime
