#pragma once

#include <optional>
#include <vector>

#include "async/clock.h"
#include "plugins/rate_limit/quotas.h"
#include "store/table.h"

namespace weir::plugins {

/// Tokens that one worker has taken from the store ahead of the requests that will use them. What isn't used in time
/// is lost, so a limit is never exceeded, but a client may get less.
class Leases {
 public:
  struct Settings {};
  static bool compatible(const Settings&, const Settings&) { return true; }
  explicit Leases(const Settings&) {}

  /// Lets a request pass on tokens that are there: the quotas as they were when these were taken, less what went since.
  std::optional<store::Decision> use(Arena& arena, std::string_view key, uint64_t cost, Time now);
  /// False while other keys' leases fill the memory: then a request takes what it needs from the store, and no other
  /// key loses the tokens that it has.
  bool has_room_for(std::string_view key, Time now);
  /// `tokens` more of each quota of `decision`, which has counted them as taken.
  void add(std::string_view key, const store::Decision& decision, uint64_t tokens, Time now, Time until);

 private:
  struct Lease {
    std::vector<store::Quota> quotas;
    uint64_t tokens = 0;
  };
  static constexpr size_t kMostBytes = 4 << 20;

  store::Table<Lease> leases_{kMostBytes};
};

}  // namespace weir::plugins
