#pragma once

#include <cstdint>

#include "base/hash.h"

namespace weir::upstream {

/// Quick numbers for choosing between endpoints (splitmix64); not for secrets. One thread.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() { return mix(state_++); }
  /// 0 to below - 1.
  uint64_t below(uint64_t below) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * below) >> 64);
  }
  /// 0 <= x < 1.
  double fraction() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;
};

}  // namespace weir::upstream
