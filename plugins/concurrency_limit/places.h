#pragma once

#include <array>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "async/semaphore.h"
#include "base/fair_share.h"
#include "base/list.h"

namespace weir::plugins {

/// The places of each key, over all workers. A key has a room while somebody is in it or waits for a place there; a few
/// empty ones are kept. Any thread.
class Places {
  struct Shard;
  struct Room : ListNode {
    Room(Places& places, Shard& shard) : places(places), shard(shard) {}
    Places& places;
    Shard& shard;
    const std::string* key = nullptr;
    FairShare::Place place;  // among the rooms in use, of the client who opened this one
    uint32_t visitors = 0;
    Semaphore semaphore{0};
  };

 public:
  struct Settings {};
  static bool compatible(const Settings&, const Settings&) { return true; }
  explicit Places(const Settings&) {}

  /// Keeps a room, for whoever is in it or waits.
  class Visit {
   public:
    Visit() = default;
    Visit(Visit&& other) noexcept : room_(std::exchange(other.room_, nullptr)) {}
    Visit& operator=(Visit&&) = delete;
    ~Visit() {
      if (room_) room_->places.leave(*room_);
    }
    explicit operator bool() const { return room_ != nullptr; }
    Semaphore& semaphore() const { return room_->semaphore; }

   private:
    friend Places;
    explicit Visit(Room* room) : room_(room) {}
    Room* room_ = nullptr;
  };

  /// A room, which has `places` from now on. None when `most_rooms` are in use, or `client` has opened its share of
  /// them.
  Visit enter(std::string_view key, uint32_t places, size_t most_rooms, std::string_view client);
  /// The places of all, where there is no key.
  Semaphore& whole(uint32_t places);
  /// A place in the line before the places of all, which has `most`; none when it is full, or the client has its share.
  FairShare::Place line_up(std::string_view client, uint32_t most) { return line_.enter(client, most); }

 private:
  static constexpr size_t kShards = 16;
  static constexpr size_t kSpare = 64;  // empty rooms that a shard keeps

  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>{}(key); }
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::string, Room, Hash, std::equal_to<>> rooms;
    List<Room> spare;  // longest empty first
    size_t spares = 0;

    Room* find(std::string_view key);
    void drop_spare();
  };
  void leave(Room& room);

  Semaphore whole_{0};
  FairShare line_;
  FairShare rooms_in_use_;
  std::array<Shard, kShards> shards_;
};

}  // namespace weir::plugins
