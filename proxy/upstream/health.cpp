#include "upstream/health.h"

namespace weir::upstream {

std::string_view name_of(Health health) {
  constexpr std::array<std::string_view, kHealths> kNames{"up", "degraded", "ejected", "down", "checking", "draining"};
  return kNames[static_cast<size_t>(health)];
}

std::string_view name_of(Judge judge) {
  constexpr std::array<std::string_view, kJudges> kNames{"admin", "backend", "check", "outlier"};
  return kNames[static_cast<size_t>(judge)];
}

bool CheckTally::learn(bool has_passed, uint32_t rise, uint32_t fall, uint32_t first_fall) {
  const State says = has_passed ? State::up : State::down;
  if (says == state) {
    against = 0;
    return false;
  }
  const uint32_t enough = state != State::unknown ? (has_passed ? rise : fall) : (has_passed ? 1 : first_fall);
  if (++against < enough) return false;
  state = says;
  against = 0;
  return true;
}

Judge EndpointHealth::worst() const {
  size_t worst = 0;
  for (size_t i = 1; i < kJudges; ++i) {
    if (opinions[i].health > opinions[worst].health) worst = i;
  }
  return static_cast<Judge>(worst);
}

}  // namespace weir::upstream
