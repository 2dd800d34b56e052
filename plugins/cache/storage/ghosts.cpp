#include "plugins/cache/storage/ghosts.h"

#include <algorithm>
#include <bit>

#include "base/hash.h"

namespace weir::plugins {

namespace {

/// Never 0, which is a free place. Its low bits choose the bucket, so a table can grow without the hashes.
uint32_t fingerprint_of(uint64_t hash) { return std::max<uint32_t>(static_cast<uint32_t>(mix(hash)), 1); }

}  // namespace

void Ghosts::add(uint64_t hash, size_t most) {
  most_ = static_cast<uint32_t>(std::min(most, kMostBuckets * kWays / 2));
  const size_t buckets = std::bit_ceil(std::max<size_t>(most_ * 2 / kWays, 16));
  if (buckets > buckets_.size()) grow(buckets);
  put({fingerprint_of(hash), ++last_});
}

bool Ghosts::take(uint64_t hash) {
  if (buckets_.empty()) return false;
  const uint32_t fingerprint = fingerprint_of(hash);
  for (auto& ghost : bucket(fingerprint)) {
    if (ghost.fingerprint != fingerprint) continue;
    const bool is_remembered = age(ghost) < most_;
    ghost = {};
    return is_remembered;
  }
  return false;
}

/// In the place of the same one, else of none, else of the oldest in its bucket.
void Ghosts::put(Ghost ghost) {
  const auto rank = [&](const Ghost& other) -> uint64_t {
    if (other.fingerprint == ghost.fingerprint) return UINT64_MAX;
    return other.fingerprint == 0 ? UINT64_MAX - 1 : age(other);
  };
  *std::ranges::max_element(bucket(ghost.fingerprint), {}, rank) = ghost;
}

void Ghosts::grow(size_t buckets) {
  std::vector<Bucket> bigger(buckets);
  buckets_.swap(bigger);
  for (const auto& bucket : bigger) {
    for (const auto& ghost : bucket) {
      if (ghost.fingerprint != 0) put(ghost);
    }
  }
}

}  // namespace weir::plugins
