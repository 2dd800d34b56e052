#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "routing/pattern.h"
#include "routing/regex.h"
#include "routing/text_map.h"

namespace weir::routing {

/// A route that host and path admit: its number in YAML order, and the port that its host pattern insists on.
struct Candidate {
  uint32_t route = 0;
  uint16_t port = 0;  // 0 = any
};

/// Which routes of one host pattern a path leads to. Exact paths and prefixes are found by hash, one look-up for each
/// depth at which some prefix ends; the regular expressions are tried together. Immutable once compiled.
class PathIndex {
 public:
  /// In YAML order.
  void add(const PathPattern& pattern, Candidate candidate);
  void compile();

  /// Calls `visit` with each list of candidates for `path`, every one in YAML order. Exact and prefix: no malloc.
  template <class Visit>
  void visit(std::string_view path, Visit visit) const;

 private:
  using Candidates = std::vector<Candidate>;

  template <class Visit>
  void visit_prefixes(std::string_view path, Visit& visit) const;

  Candidates any_;
  TextMap<Candidates> exact_;
  TextMap<Candidates> prefixes_;
  std::vector<bool> depths_;  // [n]: some prefix has n segments
  std::vector<std::pair<std::string, Candidates>> by_regex_;
  TextMap<size_t> regex_places_;  // in `by_regex_`
  RegexSet regexes_;
};

template <class Visit>
void PathIndex::visit(std::string_view path, Visit visit) const {
  if (!any_.empty()) visit(any_);
  if (!exact_.empty()) {
    if (const auto found = exact_.find(path); found != exact_.end()) visit(found->second);
  }
  visit_prefixes(path, visit);
  if (by_regex_.empty()) return;
  for (const int i : regexes_.matches(path)) visit(by_regex_[i].second);
}

template <class Visit>
void PathIndex::visit_prefixes(std::string_view path, Visit& visit) const {
  size_t end = 0;
  for (size_t depth = 1; depth < depths_.size() && end < path.size(); ++depth) {
    end = std::min(path.find('/', end + 1), path.size());
    if (!depths_[depth]) continue;
    if (const auto found = prefixes_.find(path.substr(0, end)); found != prefixes_.end()) visit(found->second);
  }
}

}  // namespace weir::routing
