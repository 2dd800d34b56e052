#include "plugins/concurrency_limit/places.h"

namespace weir::plugins {

static Semaphore& with_limit(Semaphore& semaphore, uint32_t places) {
  if (semaphore.limit() != places) semaphore.set_limit(places);
  return semaphore;
}

Semaphore& Places::whole(uint32_t places) { return with_limit(whole_, places); }

Places::Visit Places::enter(std::string_view key, uint32_t places, size_t most_rooms) {
  Shard& shard = shards_[Hash{}(key) % kShards];
  const std::lock_guard lock(shard.mutex);
  Room* room = shard.find(key);
  if (!room || room->visitors == 0) {
    if (!occupy_room(most_rooms)) return Visit(nullptr);
    if (room) {
      room->unlink();
      --shard.spares;
    } else {
      const auto made = shard.rooms.try_emplace(std::string(key), *this, shard).first;
      room = &made->second;
      room->key = &made->first;
    }
  }
  ++room->visitors;
  with_limit(room->semaphore, places);
  return Visit(room);
}

/// The bound is for all shards together: split over them, some keys would find it reached before others.
bool Places::occupy_room(size_t most_rooms) {
  size_t used = rooms_in_use_.load(std::memory_order_relaxed);
  do {
    if (used >= most_rooms) return false;
  } while (!rooms_in_use_.compare_exchange_weak(used, used + 1, std::memory_order_relaxed));
  return true;
}

Places::Room* Places::Shard::find(std::string_view key) {
  const auto found = rooms.find(key);
  return found == rooms.end() ? nullptr : &found->second;
}

void Places::leave(Room& room) {
  Shard& shard = room.shard;
  const std::lock_guard lock(shard.mutex);
  if (--room.visitors > 0) return;
  rooms_in_use_.fetch_sub(1, std::memory_order_relaxed);
  shard.spare.push_back(room);
  if (++shard.spares > kSpare) shard.drop_spare();
}

void Places::Shard::drop_spare() {
  --spares;
  rooms.erase(rooms.find(*spare.pop_front()->key));
}

}  // namespace weir::plugins
