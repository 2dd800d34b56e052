#include "plugins/concurrency_limit/places.h"

#include <algorithm>

namespace weir::plugins {

static Semaphore& with_limit(Semaphore& semaphore, uint32_t places) {
  if (semaphore.limit() != places) semaphore.set_limit(places);
  return semaphore;
}

Semaphore& Places::whole(uint32_t places) { return with_limit(whole_, places); }

Places::Visit Places::enter(std::string_view key, uint32_t places, size_t most_rooms) {
  Shard& shard = shards_[Hash{}(key) % kShards];
  const std::lock_guard lock(shard.mutex);
  Room* const room = shard.find(key, std::max<size_t>(most_rooms / kShards, 1));
  if (!room) return Visit(nullptr);
  ++room->visitors;
  with_limit(room->semaphore, places);
  return Visit(room);
}

Places::Room* Places::Shard::find(std::string_view key, size_t most_rooms) {
  if (const auto found = rooms.find(key); found != rooms.end()) {
    Room& room = found->second;
    if (room.visitors == 0) {
      room.unlink();
      --spares;
    }
    return &room;
  }
  if (rooms.size() - spares >= most_rooms) return nullptr;
  if (rooms.size() >= most_rooms) drop_spare();
  const auto made = rooms.try_emplace(std::string(key), *this).first;
  made->second.key = &made->first;
  return &made->second;
}

void Places::leave(Room& room) {
  Shard& shard = room.shard;
  const std::lock_guard lock(shard.mutex);
  if (--room.visitors > 0) return;
  shard.spare.push_back(room);
  if (++shard.spares > kSpare) shard.drop_spare();
}

void Places::Shard::drop_spare() {
  --spares;
  rooms.erase(rooms.find(*spare.pop_front()->key));
}

}  // namespace weir::plugins
