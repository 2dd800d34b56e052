#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/units.h"

namespace weir {

/// Counts events of many keys (clients) over the last `window`. Windows are those of the clock: of the one before, as
/// large a part counts as the last `window` has of its time, as if its events had come evenly.
/// Takes O(1) time and 16 KiB for any number of keys: each key counts in one cell of each of two tables, and the
/// smaller count is the key's (a count-min sketch). A count may be too high by the events of other keys in both cells.
/// Any thread, no locks; close to exact.
class RecentCounts {
 public:
  explicit RecentCounts(Duration window);
  RecentCounts(const RecentCounts&) = delete;
  RecentCounts& operator=(const RecentCounts&) = delete;

  void add(std::string_view key, Time now);
  uint64_t count(std::string_view key, Time now) const;

 private:
  static constexpr size_t kCells = 1024;
  using Table = std::array<std::atomic<uint32_t>, kCells>;
  /// The counts of one window.
  struct Era {
    std::atomic<int64_t> number{-2};
    std::array<Table, 2> tables{};
  };

  int64_t number_of(Time now) const { return now.time_since_epoch() / window_; }
  std::array<size_t, 2> cells_of(std::string_view key) const;

  const Duration window_;
  const uint64_t seed_;
  std::array<Era, 2> eras_;
};

}  // namespace weir
