#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "async/ready.h"

namespace weir {

/// One deadline in a TimerWheel. When it passes, the node moves to the loop's ready list and `run` is called.
/// Destroying or unlinking it cancels.
struct TimerNode : Ready {
  uint64_t tick = 0;
};

/// A hierarchical timing wheel (Varghese and Lauck, 1987): insertion and cancellation in constant time, whatever
/// the number of timers. Eleven levels of 64 slots, which hold every tick; a timer sits on the level where its tick
/// first differs from now.
class TimerWheel {
 public:
  /// `now` may not be later than the ticks to come.
  explicit TimerWheel(uint64_t now) : now_(now) {}

  /// A tick that has passed fires on the next advance.
  void insert(TimerNode& timer, uint64_t tick);
  /// Moves everything due at or before `to` to the end of `due`, in the order of the ticks.
  void advance(uint64_t to, List<Ready>& due);
  /// The first tick at which `advance` has something to do.
  std::optional<uint64_t> next();

 private:
  static constexpr int kBits = 6;
  static constexpr int kSlots = 1 << kBits;
  static constexpr int kLevels = 11;
  struct Slot {
    int level;
    int index;
    uint64_t tick;  // when the slot begins
  };

  std::optional<Slot> next_slot();
  void place(TimerNode& timer);

  uint64_t now_;
  std::array<uint64_t, kLevels> occupied_{};  // a bit may outlive its slot's last timer
  std::array<std::array<List<TimerNode>, kSlots>, kLevels> slots_;
};

}  // namespace weir
