#pragma once

#include <atomic>
#include <cstdint>

#include "base/units.h"

namespace weir::plugins {

/// The places of probes under way, of one era of a circuit. Who holds them all for too long loses them to others: a
/// result that never comes keeps no circuit from closing. Any thread.
class ProbeRoom {
 public:
  /// `patience`: how long the room may be full.
  explicit ProbeRoom(Duration patience) : patience_(patience) {}

  /// Takes one of `most` places; false when there is none, or when `era` is over.
  bool enter(uint32_t era, uint32_t most, Time now);
  bool has_place(uint32_t era, uint32_t most, Time now) const;
  void leave(uint32_t era);
  uint32_t count(uint32_t era) const { return count_of(word_.load(std::memory_order_relaxed), era); }

 private:
  static uint32_t era_of(uint64_t word) { return static_cast<uint32_t>(word >> 32); }
  static uint32_t count_of(uint64_t word, uint32_t era) {
    return era_of(word) == era ? static_cast<uint32_t>(word) : 0;
  }
  static uint64_t word_of(uint32_t era, uint32_t count) { return uint64_t{era} << 32 | count; }
  bool is_overdue(Time now) const { return now - full_since_.load() >= patience_; }

  const Duration patience_;
  std::atomic<uint64_t> word_{0};  // the era and its probes
  std::atomic<Time> full_since_{};
};

}  // namespace weir::plugins
