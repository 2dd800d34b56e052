#include "plugins/circuit_breaker/probe_room.h"

namespace weir::plugins {

/// The time is written first: nobody is to see a full room with the time of an earlier one.
bool ProbeRoom::enter(uint32_t era, uint32_t most, Time now) {
  uint64_t seen = word_.load();
  for (;;) {
    if (static_cast<int32_t>(era_of(seen) - era) > 0) return false;
    uint32_t count = count_of(seen, era);
    if (count >= most) {
      if (!is_overdue(now)) return false;
      count = 0;
    }
    if (count + 1 >= most) full_since_ = now;
    if (word_.compare_exchange_weak(seen, word_of(era, count + 1))) return true;
  }
}

bool ProbeRoom::has_place(uint32_t era, uint32_t most, Time now) const { return count(era) < most || is_overdue(now); }

/// None below nothing: the place may have gone to another.
void ProbeRoom::leave(uint32_t era) {
  uint64_t seen = word_.load();
  while (count_of(seen, era) > 0 && !word_.compare_exchange_weak(seen, seen - 1)) {
  }
}

}  // namespace weir::plugins
