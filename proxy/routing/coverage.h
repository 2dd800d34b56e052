#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "routing/config.h"

namespace weir::routing {

/// Finds the first earlier route that matches all that a route matches. Routes are indexed by what such an earlier
/// route must have: a host pattern and a path pattern that are wide enough, and conditions that the later route has,
/// too. So a route is compared with the few that share these, not with all.
class CoverageIndex {
 public:
  /// The conditions that many routes have in common tell them apart least; they are counted first. `routes` outlives
  /// the index.
  explicit CoverageIndex(const std::vector<RouteSettings>& routes);

  /// The earliest of the routes added so far that covers `match`.
  std::optional<uint32_t> first_covering(const MatchSettings& match) const;
  /// In the order of the file.
  void add(uint32_t route);

  /// Routes compared in full so far, for tests.
  uint64_t comparisons() const { return comparisons_; }

 private:
  using Key = uint64_t;  // a hash: a candidate is compared in full
  static std::vector<Key> host_keys(const MatchSettings& narrow);
  static std::vector<Key> path_keys(const PathPattern& narrow);
  std::vector<Key> rest_keys(const MatchSettings& narrow) const;
  Key rest_key(const MatchSettings& wide) const;
  bool covers(uint32_t wide, const MatchSettings& narrow) const;
  bool hosts_cover(uint32_t wide, const std::vector<HostPattern>& narrow) const;

  const std::vector<RouteSettings>& routes_;
  std::unordered_map<Key, uint32_t> condition_counts_;
  std::unordered_set<Key> places_;                                           // of a host and a path
  std::unordered_map<Key, std::vector<uint32_t>> by_keys_;                   // routes of a place and a rest, rising
  std::unordered_map<uint32_t, std::unordered_set<std::string>> host_sets_;  // of routes with many hosts
  mutable uint64_t comparisons_ = 0;
};

}  // namespace weir::routing
