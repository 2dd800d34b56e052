#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/arena.h"
#include "store/redis_link.h"

namespace weir::store {

/// A master that sentinels know: whenever the link to it is lost, they are asked where it is now, the last one that
/// knew first.
class SentinelFinder final : public RedisFinder {
 public:
  /// `sentinels`: where each is found, and its login.
  struct Sentinel {
    std::unique_ptr<RedisFinder> finder;
    RedisAddress address;
  };
  SentinelFinder(Loop& loop, std::string master, std::vector<Sentinel> sentinels, net::Resolver& resolver);

  Task<std::expected<net::Address, Fault>> find() override;

 private:
  Task<std::expected<net::Address, Fault>> ask(Sentinel& sentinel, Time deadline);

  Loop& loop_;
  std::string master_;
  std::vector<Sentinel> sentinels_;
  net::Resolver& resolver_;
  BlockPool blocks_{4096, 1};
};

}  // namespace weir::store
