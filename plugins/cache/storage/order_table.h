#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::plugins {

enum class PurgeForce : uint8_t { hard, soft };  // soft: it is stale from now on
enum class PurgeVerdict : uint8_t {
  keep,
  stale,
  doubtful,  // orders may have been missed: stale, and validated before it is used
  gone,
};

/// The newest orders about one thing, by their numbers; 0 = none.
struct LatestOrders {
  std::array<uint64_t, 2> numbers{};  // by force

  uint64_t& of(PurgeForce force) { return numbers[static_cast<size_t>(force)]; }
  uint64_t newest() const { return std::max(numbers[0], numbers[1]); }
  /// Of what has been held against the orders until `since`.
  PurgeVerdict verdict(uint64_t since) const {
    if (numbers[0] > since) return PurgeVerdict::gone;
    return numbers[1] > since ? PurgeVerdict::stale : PurgeVerdict::keep;
  }
};

/// The newest orders about each of many things, which are told apart by hash. It grows with them, up to 4 MiB; from
/// then on where one is in the way of another the oldest counts for whatever falls into its bucket, 1 in 32,768: none
/// is ever missed, and what it meant alone is all that it spoils as long as there are about 100,000. One thread.
class OrderTable {
 public:
  /// The lowest bit of a hash doesn't count.
  void set(uint64_t hash, PurgeForce force, uint64_t number);
  /// Those that are about it, as far as can be told.
  LatestOrders find(uint64_t hash) const;
  /// What it takes, in bytes.
  size_t bytes() const { return buckets_.size() * sizeof(Bucket); }

 private:
  struct Order {
    uint64_t what = 0;  // the hash, but for the lowest bit, which is the force
    uint64_t number = 0;
    PurgeForce force() const { return static_cast<PurgeForce>(what & 1); }
  };
  struct Bucket {
    std::array<Order, 7> orders;
    LatestOrders forgotten;  // the newest ones that had to go
  };
  static constexpr int kFirstBits = 3;
  static constexpr int kMostBits = 15;

  Bucket& bucket_of(uint64_t hash) { return buckets_[hash >> (64 - bits_)]; }
  void grow();

  int bits_ = 0;  // of a hash, the highest ones, that say which bucket it is; 0 = there is none yet
  std::vector<Bucket> buckets_;
};

}  // namespace weir::plugins
