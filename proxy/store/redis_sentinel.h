#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/arena.h"
#include "store/redis_link.h"

namespace weir::store {

/// Finds a master through sentinels. Asks all sentinels at once, so that hanging sentinels do not delay the others. The
/// first answer with an address other than the last result wins; without one, the last result is confirmed.
class SentinelFinder final : public RedisFinder {
 public:
  /// `sentinels`: address and login of each.
  struct Sentinel {
    std::unique_ptr<RedisFinder> finder;
    RedisAddress address;
  };
  SentinelFinder(Loop& loop, RedisShared& shared, std::vector<Sentinel> sentinels, net::Resolver& resolver);

  Task<std::expected<net::Address, Fault>> find() override;

 private:
  /// Results of one round of questions so far.
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
