#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/units.h"

namespace weir::store {

/// The longest that a burst may take to come back.
inline constexpr Duration kCentury = std::chrono::hours(24 * 36525);

/// The most that a sliding log can count: it remembers each.
inline constexpr uint64_t kMostInLog = 10'000;

/// A quota's terms. Keys of limits with different names never meet. `count` and `burst` are 1 or more, and
/// burst * per / count is a century at most. Texts live as long as the call that it is given to.
struct Limit {
  enum class Algorithm : uint8_t {
    gcra,            // evenly spaced, with a burst
    sliding_window,  // two fixed windows, the older one weighed by how much of it is still in sight
    fixed_window,    // aligned to the calendar (UTC)
    sliding_log,     // exact: every one taken in the last period is remembered; `count` is kMostInLog at most
  };
  std::string_view name;
  Algorithm algorithm = Algorithm::gcra;
  uint64_t count = 1;  // so many…
  Duration per = std::chrono::seconds(1);
  uint64_t burst = 1;  // gcra: how many may come at once
  /// gcra: the largest burst of all takes of this name, if that is more than `burst`. What is kept of a quota and goes
  /// beyond it was counted by other terms or by another clock, and is cut to it.
  uint64_t largest_burst = 0;
  /// Limits of one take whose keys come from different expressions name one slot, so that a Redis Cluster keeps them
  /// together; "": those of one take have the same key, and each key has a slot of its own.
  std::string_view slot{};

  bool operator==(const Limit&) const = default;
};

/// `cost` out of the quota that `key` has under `limit`; 0 looks without taking. `client`: the address of who asks, who
/// may have invented the key: a store short of memory counts the keys of each client network.
struct Take {
  const Limit& limit;
  std::string_view key;
  uint64_t cost = 1;
  std::string_view client{};
};

/// How one quota stands after a take.
struct Quota {
  bool allowed = true;
  bool is_new = false;       // the store did not know the key before
  bool is_left_out = false;  // the key is new and the store has no room for it: nothing was counted
  bool is_beyond = false;    // more was asked than the limit could ever give: no use waiting
  uint64_t most = 0;         // what a client can have at once
  uint64_t remaining = 0;
  Duration retry_after{};  // until the same take would pass; 0 when it did
  Duration reset_after{};  // until the quota is whole again
};

inline constexpr size_t kMostLimits = 8;

struct Decision {
  bool allowed = true;      // all of them
  std::span<Quota> quotas;  // in the order of the call, in the caller's arena
  bool is_partial = false;  // some were left out
};

}  // namespace weir::store
