#include "upstream/reach.h"

#include <algorithm>

namespace weir::upstream {

namespace {

struct Census {
  uint32_t up = 0;
  uint32_t healthy = 0;  // up or degraded
  uint32_t usable = 0;

  double share() const { return usable == 0 ? 0 : static_cast<double>(healthy) / usable; }
};

Census count(std::span<const Endpoint> endpoints) {
  Census census;
  for (const Endpoint& endpoint : endpoints) {
    const Health health = endpoint.state->health.load(std::memory_order_relaxed);
    census.up += health == Health::up;
    census.healthy += health <= Health::degraded;
    census.usable += health <= Health::down;
  }
  return census;
}

}  // namespace

uint64_t Reach::packed() const {
  return uint64_t{primary_share} | uint64_t{static_cast<uint8_t>(primaries)} << 10 |
         uint64_t{static_cast<uint8_t>(backups)} << 13 | uint64_t{is_panic} << 16 | uint64_t{has_healthy} << 17;
}

Reach Reach::unpacked(uint64_t bits) {
  Reach reach;
  reach.primary_share = bits & 0x3ff;
  reach.primaries = static_cast<Health>(bits >> 10 & 7);
  reach.backups = static_cast<Health>(bits >> 13 & 7);
  reach.is_panic = bits >> 16 & 1;
  reach.has_healthy = bits >> 17 & 1;
  return reach;
}

Reach reach_of(std::span<const Endpoint> primaries, std::span<const Endpoint> backups, const Thresholds& thresholds) {
  const Census first = count(primaries);
  const Census second = count(backups);
  Reach reach;
  reach.healthy = first.healthy + second.healthy;
  reach.usable = first.usable + second.usable;
  reach.has_healthy = reach.healthy > 0;
  // Backups that are well spare the primaries a panic.
  const bool is_short = first.share() < thresholds.panic && (second.healthy == 0 || second.share() < thresholds.panic);
  reach.is_panic = thresholds.may_panic && reach.usable > 0 && (!reach.has_healthy || is_short);
  if (reach.is_panic) {
    reach.primaries = reach.backups = Health::down;
  } else if (first.up + second.up == 0) {
    reach.primaries = reach.backups = Health::degraded;
  } else if (thresholds.overprovisioning > 0 && second.up > 0) {
    const double borne = std::min(1.0, first.share() * thresholds.overprovisioning);
    reach.primary_share = static_cast<uint32_t>(borne * Reach::kWhole);
  }
  return reach;
}

}  // namespace weir::upstream
