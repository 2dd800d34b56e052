#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/arena.h"
#include "store/redis_link.h"

namespace weir::store {

/// A master that sentinels know: whenever the link to it is lost, all are asked at once where it is now, so that no
/// number of hanging ones keeps another from being asked. The first who names another address than the last one is
/// believed, and the last one is given again when nobody does.
class SentinelFinder final : public RedisFinder {
 public:
  /// `sentinels`: where each is found, and its login.
  struct Sentinel {
    std::unique_ptr<RedisFinder> finder;
    RedisAddress address;
  };
  SentinelFinder(Loop& loop, RedisShared& shared, std::vector<Sentinel> sentinels, net::Resolver& resolver);

  Task<std::expected<net::Address, Fault>> find() override;

 private:
  /// What one round of questions has come to so far, beside another address.
  struct Round {
    Time deadline;
    Fault fault = Fault::timeout;
    bool is_last_confirmed = false;
  };
  Task<std::optional<net::Address>> ask(Sentinel& sentinel, Round& round);
  Task<Answer> question(const RedisAddress& login, RedisConnection& connection, Arena& arena, Time deadline);

  Loop& loop_;
  RedisShared& shared_;
  std::vector<Sentinel> sentinels_;
  net::Resolver& resolver_;
  std::optional<net::Address> last_;
  BlockPool blocks_{4096, 1};
};

}  // namespace weir::store
