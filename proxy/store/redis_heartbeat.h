#pragma once

#include <memory>

#include "async/task.h"
#include "store/fleet_size.h"
#include "store/redis_store.h"

namespace weir::store {

/// Tells Redis once a second that this process is alive, and learns how many are; so it also finds out, without any
/// request's help, that the store is gone or back. An instance not heard of for five seconds counts no more, a few
/// beats later (FleetSize). One for each process; one thread.
class RedisHeartbeat {
 public:
  RedisHeartbeat(Loop& loop, std::shared_ptr<RedisShared> shared);

  const std::shared_ptr<RedisShared>& shared() const { return shared_; }
  /// Its view of the store, for others on its thread.
  RedisStore& store() { return store_; }

 private:
  Task<> beat();

  Loop& loop_;
  std::shared_ptr<RedisShared> shared_;
  BlockPool blocks_{4096, 1};
  RedisStore store_;
  FleetSize fleet_;
  Task<> task_;
};

}  // namespace weir::store
