#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/metrics.h"
#include "base/units.h"

namespace weir {

/// How long the turns of one loop take. A turn begins with the first event after a wait and ends when the loop waits
/// again. The loop's thread writes, any thread reads; a turn costs two readings of the clock and no system call.
class TurnMeter {
 public:
  bool is_running() const { return (beat_.load(std::memory_order_relaxed) & 1) != 0; }
  void begin(Time now) {
    begun_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
    beat_.store(beat_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  void end(Time now) {
    const auto took = running_for(now);
    turns_.observe(took);
    if (took.count() > longest_.load(std::memory_order_relaxed))
      longest_.store(took.count(), std::memory_order_relaxed);
    beat_.store(beat_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  /// Odd during a turn; a loop that stays at one odd number is stuck in that turn.
  uint64_t beat() const { return beat_.load(std::memory_order_acquire); }
  const Histogram& turns() const { return turns_; }
  /// The longest turn since the last call; the turn that runs at `now` counts with its time so far.
  Duration take_longest(Time now) const {
    const Duration longest(longest_.exchange(0, std::memory_order_relaxed));
    return beat() & 1 ? std::max(longest, running_for(now)) : longest;
  }

 private:
  Duration running_for(Time now) const {
    return now.time_since_epoch() - Duration(begun_.load(std::memory_order_relaxed));
  }

  std::atomic<uint64_t> beat_ = 0;  // turns begun and ended
  std::atomic<Duration::rep> begun_ = 0;
  mutable std::atomic<Duration::rep> longest_ = 0;
  Histogram turns_;
};

}  // namespace weir
