#pragma once

#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <unordered_map>

#include "net/address.h"

namespace weir::downstream {

/// The open connections of the process, in all and by client: an IPv4 address, or the /64 of an IPv6 address. Any
/// thread.
class ClientCount {
 public:
  /// Counts one more; how many there are then.
  struct Counted {
    uint64_t all;
    uint64_t of_client;  // 0 unless `by_client`
  };
  Counted add(const net::Address& peer, bool by_client);
  /// As it was added.
  void remove(const net::Address& peer, bool by_client);
  uint64_t all() const { return all_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kShards = 16;
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::string, uint64_t> counts;
  };
  /// The address, of IPv6 its /64: a client has all of that.
  static std::string key_of(const net::Address& peer);
  Shard& shard_of(const std::string& key) { return shards_[std::hash<std::string>()(key) % kShards]; }

  std::atomic<uint64_t> all_{0};
  std::array<Shard, kShards> shards_;
};

}  // namespace weir::downstream
