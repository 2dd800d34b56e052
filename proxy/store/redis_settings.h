#pragma once

#include <string>
#include <vector>

#include "base/units.h"
#include "net/resolver.h"
#include "store/redis_address.h"

namespace weir::store {

/// Which Redis, and how it is used.
struct RedisSettings {
  std::vector<RedisAddress> servers;  // one; of a cluster or of sentinels any number
  bool is_cluster = false;
  std::string sentinel_master;  // `servers` are sentinels, who know where this master is; "" = none
  RedisAddress master_login;    // its user, password and database
  std::string prefix = "weir:";
  Duration timeout = std::chrono::milliseconds(50);  // of one call
  net::ResolverSettings resolver;

  bool operator==(const RedisSettings& other) const {
    return servers == other.servers && is_cluster == other.is_cluster && sentinel_master == other.sentinel_master &&
           master_login == other.master_login && prefix == other.prefix && timeout == other.timeout &&
           resolver.servers == other.resolver.servers && resolver.timeout == other.resolver.timeout &&
           resolver.tries == other.resolver.tries;
  }
};

}  // namespace weir::store
