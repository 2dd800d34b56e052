#pragma once

#include <cstdint>
#include <vector>

#include "store/limit.h"

namespace weir::store {

/// Both clocks at one moment, from some start each.
struct Moment {
  Duration steady{};
  Duration wall{};  // since 1970, for calendar windows
};

/// What is remembered of one quota.
struct Meter {
  Duration arrival{};  // gcra: the theoretical arrival time, on the steady clock
  int64_t window = 0;  // windows: which one `current` counts
  uint64_t current = 0;
  uint64_t previous = 0;
  std::vector<Duration> taken{};  // the log: when each was, on the steady clock, oldest first
};

/// The outcome of a take, not yet in force.
struct Reckoning {
  Quota quota;
  Meter after;          // if it is put in force
  Duration keep{};      // how long `after` matters
  bool is_cut = false;  // `after` is to be kept even when nothing is taken
};

/// The formulas (semantics of every store): pure. A new quota is a Meter{}.
Reckoning reckon(const Meter& before, const Limit& limit, uint64_t cost, Moment now);

}  // namespace weir::store
