#include "base/recent_counts.h"

#include <algorithm>
#include <random>

#include "base/hash.h"

namespace weir {

RecentCounts::RecentCounts(Duration window)
    : window_(window), seed_(uint64_t{std::random_device{}()} << 32 | std::random_device{}()) {}

std::array<size_t, 2> RecentCounts::cells_of(std::string_view key) const {
  const uint64_t print = hash(key, seed_);
  return {print % kCells, (print >> 32) % kCells};
}

void RecentCounts::add(std::string_view key, Time now) {
  const int64_t number = number_of(now);
  Era& era = eras_[static_cast<size_t>(number % 2)];
  int64_t old = era.number.load(std::memory_order_relaxed);
  if (old != number && era.number.compare_exchange_strong(old, number, std::memory_order_relaxed)) {
    for (Table& table : era.tables) {  // what another thread counts just now may be lost
      for (auto& cell : table) cell.store(0, std::memory_order_relaxed);
    }
  }
  const auto cells = cells_of(key);
  for (size_t i = 0; i < cells.size(); ++i) era.tables[i][cells[i]].fetch_add(1, std::memory_order_relaxed);
}

uint64_t RecentCounts::count(std::string_view key, Time now) const {
  const int64_t number = number_of(now);
  const auto cells = cells_of(key);
  const double begun = static_cast<double>((now.time_since_epoch() % window_).count());
  const double former = 1.0 - begun / static_cast<double>(window_.count());
  uint64_t sum = 0;
  for (const Era& era : eras_) {
    const int64_t age = number - era.number.load(std::memory_order_relaxed);
    if (age > 1) continue;
    const uint64_t count = std::min(era.tables[0][cells[0]].load(std::memory_order_relaxed),
                                    era.tables[1][cells[1]].load(std::memory_order_relaxed));
    sum += age == 1 ? static_cast<uint64_t>(static_cast<double>(count) * former) : count;
  }
  return sum;
}

}  // namespace weir
