#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "base/units.h"

namespace weir {

/// Admits one event a second: limits the log lines that a peer can cause. Any thread.
class Paced {
 public:
  struct Turn {
    uint64_t untold;  // refused events since the last admitted event
  };
  /// Nothing: the event is refused.
  std::optional<Turn> turn(Time now) {
    auto due = due_.load(std::memory_order_relaxed);
    const auto ticks = now.time_since_epoch().count();
    if (ticks < due || !due_.compare_exchange_strong(due, ticks + kEvery.count())) {
      untold_.fetch_add(1, std::memory_order_relaxed);
      return std::nullopt;
    }
    return Turn{untold_.exchange(0, std::memory_order_relaxed)};
  }

 private:
  static constexpr Duration kEvery = std::chrono::seconds(1);
  std::atomic<Duration::rep> due_{INT64_MIN};
  std::atomic<uint64_t> untold_{0};
};

}  // namespace weir
