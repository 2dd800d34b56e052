#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "exchange/exchange.h"
#include "routing/config.h"
#include "routing/matcher.h"
#include "routing/path_index.h"
#include "routing/split.h"

namespace weir::routing {

/// What `weir explain` tells of one route.
struct Explanation {
  const Route* route = nullptr;
  bool matched = false;
  std::string why;  // it did not match: "host: wants api.example.com, got example.com"
};

/// The routes of a snapshot: the first that matches wins, and finding it costs about the same for ten and for a
/// thousand. Immutable, shared by all workers (a split's turn is its one atomic).
class Router : public RouteTable {
 public:
  /// In YAML order; the settings were decoded and resolved without a Problem. Each Route's index becomes its place.
  explicit Router(std::vector<std::pair<RouteSettings, Route>> routes);

  /// Sets `exchange.destination` too, for routes with upstream or split. No malloc, but for regular expressions.
  const Route* find(Exchange& exchange) const override;
  bool has(const Route& route) const override;

  /// The routes up to the one that matches, each with why it did not. Tries them one after the other.
  std::vector<Explanation> explain(Exchange& exchange) const;

  size_t size() const { return entries_.size(); }
  const Route& operator[](size_t index) const { return entries_[index]->route; }

 private:
  struct Entry {
    Route route;
    Matcher matcher;
    std::string upstream;
    std::unique_ptr<const Split> split;
  };

  void index(const MatchSettings& match, uint32_t route);
  PathIndex& index_of(const HostPattern& pattern);
  void compile();
  template <class Visit>
  void visit_hosts(std::string_view host, Visit visit) const;

  std::vector<std::unique_ptr<const Entry>> entries_;
  std::unordered_set<std::string_view> identities_;
  PathIndex any_host_;
  TextMap<PathIndex> exact_hosts_;
  TextMap<PathIndex> wildcard_hosts_;  // by ".example.com"
  std::vector<std::pair<std::string, PathIndex>> by_regex_;
  TextMap<size_t> regex_places_;  // in `by_regex_`
  RegexSet host_regexes_;
};

}  // namespace weir::routing
