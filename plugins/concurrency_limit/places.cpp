#include "plugins/concurrency_limit/places.h"

namespace weir::plugins {

static Semaphore& with_limit(Semaphore& semaphore, uint32_t places) {
  if (semaphore.limit() != places) semaphore.set_limit(places);
  return semaphore;
}

Semaphore& Places::whole(uint32_t places) { return with_limit(whole_, places); }

Places::Visit Places::enter(std::string_view key, uint32_t places, size_t most_rooms, std::string_view client) {
  Shard& shard = shards_[Hash{}(key) % kShards];
  const std::lock_guard lock(shard.mutex);
  Room* room = shard.find(key);
  if (!room || room->visitors == 0) {
    auto place = rooms_in_use_.enter(client, static_cast<int64_t>(most_rooms));  // of all shards together
    if (!place) return Visit(nullptr);
    if (room) {
      room->unlink();
      --shard.spares;
    } else {
      const auto made = shard.rooms.try_emplace(std::string(key), *this, shard).first;
      room = &made->second;
      room->key = &made->first;
    }
    room->place = std::move(place);
  }
  ++room->visitors;
  with_limit(room->semaphore, places);
  return Visit(room);
}

Places::Room* Places::Shard::find(std::string_view key) {
  const auto found = rooms.find(key);
  return found == rooms.end() ? nullptr : &found->second;
}

void Places::leave(Room& room) {
  Shard& shard = room.shard;
  const std::lock_guard lock(shard.mutex);
  if (--room.visitors > 0) return;
  room.place.leave();
  shard.spare.push_back(room);
  if (++shard.spares > kSpare) shard.drop_spare();
}

void Places::Shard::drop_spare() {
  --spares;
  rooms.erase(rooms.find(*spare.pop_front()->key));
}

}  // namespace weir::plugins
