#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::plugins {

/// Remembers, by a fingerprint each, the things that were let go last: eight bytes for each, two places for one that is
/// remembered, and now and then (one in thousands) a mistake. One thread.
class Ghosts {
 public:
  /// Remembers one, and forgets those before the last `most`.
  void add(uint64_t hash, size_t most);
  /// Whether it is remembered; not any more.
  bool take(uint64_t hash);

 private:
  static constexpr size_t kWays = 4;
  static constexpr size_t kMostBuckets = 1 << 20;
  struct Ghost {
    uint32_t fingerprint = 0;
    uint32_t number = 0;  // in the order in which they were let go, which may begin again
  };
  using Bucket = std::array<Ghost, kWays>;

  Bucket& bucket(uint32_t fingerprint) { return buckets_[fingerprint & (buckets_.size() - 1)]; }
  uint32_t age(const Ghost& ghost) const { return last_ - ghost.number; }
  void put(Ghost ghost);
  void grow(size_t buckets);

  std::vector<Bucket> buckets_;  // a power of two
  uint32_t last_ = 0;
  uint32_t most_ = 0;
};

}  // namespace weir::plugins
