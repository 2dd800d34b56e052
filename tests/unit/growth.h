#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace weir {

/// Between linear with a logarithm, with room for caches that are too small, and the square.
inline constexpr double kNearLinear = 11;

/// By how much `work(4 * size)` takes longer than `work(size)`: about 4 where the cost is linear, 16 where it is
/// the square. The best of several runs each, since other processes only ever add time; measured again while that
/// looks like more than near-linear, since they may have added it to all of the large ones.
template <class Work>
double growth(size_t size, Work work) {
  const auto best = [&](size_t of) {
    auto least = std::chrono::steady_clock::duration::max();
    for (int run = 0; run < 4; ++run) {
      const auto begun = std::chrono::steady_clock::now();
      work(of);
      least = std::min(least, std::chrono::steady_clock::now() - begun);
    }
    return std::chrono::duration<double>(least).count();
  };
  double small = best(size);
  double large = best(4 * size);
  for (int round = 1; round < 8 && large / small >= kNearLinear; ++round) {
    small = std::min(small, best(size));
    large = std::min(large, best(4 * size));
  }
  return large / small;
}

}  // namespace weir
