#include "routing/path_index.h"

#include <algorithm>

namespace weir::routing {

void PathIndex::add(const PathPattern& pattern, Candidate candidate) {
  if (pattern.is_any()) return any_.push_back(candidate);
  switch (pattern.kind) {
    case PathPattern::Kind::exact: return exact_[pattern.text].push_back(candidate);
    case PathPattern::Kind::prefix: {
      const auto depth = static_cast<size_t>(std::ranges::count(pattern.text, '/'));
      if (depths_.size() <= depth) depths_.resize(depth + 1);
      depths_[depth] = true;
      return prefixes_[pattern.text].push_back(candidate);
    }
    case PathPattern::Kind::regex: {
      const auto [place, is_new] = regex_places_.try_emplace(pattern.text, by_regex_.size());
      if (is_new) by_regex_.push_back({pattern.text, {}});
      by_regex_[place->second].second.push_back(candidate);
    }
  }
}

void PathIndex::compile() {
  regex_places_.clear();
  std::vector<Regex> expressions;
  for (const auto& [pattern, candidates] : by_regex_) expressions.push_back(*Regex::compile(pattern));
  regexes_ = RegexSet(std::move(expressions));
}

}  // namespace weir::routing
