#include "store/redis_heartbeat.h"

#include "async/sleep.h"

namespace weir::store {

namespace {

constexpr Duration kInterval = std::chrono::seconds(1);

}  // namespace

RedisHeartbeat::RedisHeartbeat(Loop& loop, std::shared_ptr<RedisShared> shared)
    : loop_(loop), shared_(std::move(shared)), store_(loop, shared_), task_(beat()) {
  task_.start();
}

Task<> RedisHeartbeat::beat() {
  for (;;) {
    {
      Arena arena(blocks_);
      const auto alive = co_await store_.beat({arena});
      if (alive && *alive > 0) shared_->instances = fleet_.heard(shared_->instances, *alive);
      else fleet_.missed();
      // Caches may ask for nothing for a while: found again it is nevertheless.
      const bool is_lost = shared_->bulk && shared_->bulk->health.state() != StoreState::up;
      if (is_lost) (void)co_await store_.bulk_store().beat({arena});
    }
    co_await sleep_for(loop_, kInterval);
  }
}

}  // namespace weir::store
