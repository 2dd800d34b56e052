#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace weir {

/// By how much `work(4 * size)` takes longer than `work(size)`: about 4 where the cost is linear, 16 where it is
/// the square. The best of several runs each, since other processes only ever add time.
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
  const double small = best(size);
  return best(4 * size) / small;
}

/// Between linear with a logarithm, with room for caches that are too small, and the square.
inline constexpr double kNearLinear = 11;

}  // namespace weir
