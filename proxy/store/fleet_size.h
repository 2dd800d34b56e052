#pragma once

#include <cstdint>

namespace weir::store {

/// How many processes share a store, by what their heartbeats tell. A store that began empty has heard of all only once
/// everybody has had time to say so: more are believed at once, fewer when several beats in a row have told of fewer.
class FleetSize {
 public:
  static constexpr int kRound = 4;  // beats: a second each, for what must be connected again and the breaker's one call

  /// A beat was heard, and `alive` are counted; the size from now on, which was `known`.
  uint32_t heard(uint32_t known, uint32_t alive) {
    if (alive < known && ++fewer_ < kRound) return known;
    fewer_ = 0;
    return alive;
  }
  /// A beat was not.
  void missed() { fewer_ = 0; }

 private:
  int fewer_ = 0;  // beats in a row
};

}  // namespace weir::store
