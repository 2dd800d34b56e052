#pragma once

#include <span>

#include "upstream/endpoint.h"

namespace weir::upstream {

/// When health isn't enough.
struct Thresholds {
  double panic = 0;  // with a smaller share of healthy endpoints, or none, all are used
  bool may_panic = true;
  double overprovisioning = 0;  // primaries bear their healthy share times this, backups the rest; 0 = no backup yet
};

/// Whom requests may go to, as healthy as the endpoints are at one moment.
struct Reach {
  static constexpr uint32_t kWhole = 1000;

  Health primaries = Health::up;  // the worst that will do
  Health backups = Health::up;
  uint32_t primary_share = kWhole;  // of the requests; what is left begins with the backups
  bool is_panic = false;
  bool has_healthy = false;
  uint32_t healthy = 0;
  uint32_t usable = 0;  // endpoints that aren't draining or new

  uint64_t packed() const;
  /// Without the counts, which only a change needs.
  static Reach unpacked(uint64_t bits);
  static constexpr unsigned kBits = 20;  // of `packed`
};

/// Up ones before degraded ones, primaries before backups; all of them when none, or less than the threshold, is left.
Reach reach_of(std::span<const Endpoint> primaries, std::span<const Endpoint> backups, const Thresholds& thresholds);

}  // namespace weir::upstream
