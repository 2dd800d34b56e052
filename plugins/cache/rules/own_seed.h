#pragma once

#include <cstdint>
#include <random>

namespace weir::plugins {

/// For hashes of what clients and origins choose: unknown outside, so that nobody can choose what falls together.
inline uint64_t own_seed() {
  static const uint64_t seed = [] {
    std::random_device dice;
    return uint64_t{dice()} << 32 | dice();
  }();
  return seed;
}

}  // namespace weir::plugins
