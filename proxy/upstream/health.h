#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/units.h"

namespace weir::upstream {

/// What an endpoint is good for. In the order in which they are turned to: those after `up` only when what is before
/// them isn't enough, those from `checking` on never.
enum class Health : uint8_t {
  up,
  degraded,  // it said so itself: for when no other is up
  ejected,   // its answers put it aside for a while
  down,      // a check said so, or it itself
  checking,  // new, and no check has passed yet
  draining,  // an operator said so, or it itself
};
inline constexpr size_t kHealths = 6;
std::string_view name_of(Health health);

/// Who has an opinion on an endpoint. The worst one counts.
enum class Judge : uint8_t { admin, backend, check, outlier };
inline constexpr size_t kJudges = 4;
std::string_view name_of(Judge judge);

/// How one check went.
struct CheckResult {
  bool has_passed = false;
  bool was_made = true;  // false: this machine lacked what a check takes, which says nothing about the endpoint
  std::string what;      // "status 503"
  Time at{};             // it was over
  Duration took{};
  std::optional<Health> said;  // by the endpoint's own header: up, degraded, down or draining
};

/// Results in a row, until there are enough of them to believe.
struct CheckTally {
  enum class State : uint8_t { unknown, up, down };
  State state = State::unknown;
  uint32_t against = 0;  // the last results, when they speak against `state`

  /// True when the state has changed. Unknown, the first pass is believed, and `first_fall` failures.
  bool learn(bool has_passed, uint32_t rise, uint32_t fall, uint32_t first_fall);
  bool is_changing() const { return state == State::unknown || against > 0; }
};

/// All opinions on an endpoint and where they come from. Guarded by its upstream's HealthLedger.
struct EndpointHealth {
  struct Opinion {
    Health health = Health::up;
    std::string why;
  };
  std::array<Opinion, kJudges> opinions;
  Time since = Time::min();  // the health changed; min = never
  CheckTally tally;
  std::optional<CheckResult> last_check;
  uint32_t ejections = 0;  // in a row; one is forgiven for each interval without
  Time ejected_until{};

  Opinion& of(Judge judge) { return opinions[static_cast<size_t>(judge)]; }
  const Opinion& of(Judge judge) const { return opinions[static_cast<size_t>(judge)]; }
  /// Whose opinion counts.
  Judge worst() const;
};

}  // namespace weir::upstream
