#include "routing/router.h"

#include <algorithm>

namespace weir::routing {

namespace {

constexpr uint32_t kNone = UINT32_MAX;

}  // namespace

Router::Router(std::vector<std::pair<RouteSettings, Route>> routes) {
  for (auto& [settings, route] : routes) {
    const auto place = static_cast<uint32_t>(entries_.size());
    route.index = place;
    route.identity = settings.identity.empty() ? route.name : settings.identity;
    auto split = settings.split ? std::make_unique<const Split>(*settings.split, settings.salt) : nullptr;
    auto upstream = settings.upstream ? settings.upstream->value : std::string();
    entries_.push_back(std::make_unique<const Entry>(std::move(route), Matcher(settings.match), std::move(upstream),
                                                     std::move(split)));
    identities_.insert(entries_.back()->route.identity);
    index(settings.match, place);
  }
  compile();
}

void Router::index(const MatchSettings& match, uint32_t route) {
  if (match.hosts.empty()) any_host_.add(match.path, {route, 0});
  for (const auto& host : match.hosts) index_of(host).add(match.path, {route, host.port});
}

PathIndex& Router::index_of(const HostPattern& pattern) {
  switch (pattern.kind) {
    case HostPattern::Kind::exact: return exact_hosts_[pattern.text];
    case HostPattern::Kind::wildcard: return wildcard_hosts_[pattern.text];
    case HostPattern::Kind::regex: break;
  }
  const auto [place, is_new] = regex_places_.try_emplace(pattern.text, by_regex_.size());
  if (is_new) by_regex_.emplace_back(pattern.text, PathIndex());
  return by_regex_[place->second].second;
}

void Router::compile() {
  std::vector<Regex> expressions;
  for (auto& [pattern, paths] : by_regex_) {
    expressions.push_back(*Regex::compile(pattern, Case::ignored));
    paths.compile();
  }
  host_regexes_ = RegexSet(std::move(expressions), Case::ignored);
  any_host_.compile();
  for (auto& [host, paths] : exact_hosts_) paths.compile();
  for (auto& [suffix, paths] : wildcard_hosts_) paths.compile();
}

template <class Visit>
void Router::visit_hosts(std::string_view host, Visit visit) const {
  if (!exact_hosts_.empty()) {
    if (const auto found = exact_hosts_.find(host); found != exact_hosts_.end()) visit(found->second);
  }
  if (!wildcard_hosts_.empty()) {
    for (auto dot = host.find('.', 1); dot != std::string_view::npos; dot = host.find('.', dot + 1)) {
      const auto found = wildcard_hosts_.find(host.substr(dot));
      if (found != wildcard_hosts_.end()) visit(found->second);
    }
  }
  // A path's expressions reuse the list of matches: take the hosts' own out of it first.
  if (!by_regex_.empty()) {
    const auto matches = host_regexes_.matches(host);
    const std::vector<int> hosts(matches.begin(), matches.end());
    for (const int i : hosts) visit(by_regex_[i].second);
  }
  visit(any_host_);
}

const Route* Router::find(Exchange& exchange) const {
  const RequestHost host(exchange.request);
  uint32_t best = kNone;
  const auto consider = [&](const std::vector<Candidate>& candidates) {
    for (const auto& candidate : candidates) {
      if (candidate.route >= best) return;
      const bool port_fits = candidate.port == 0 || candidate.port == host.port();
      if (port_fits && entries_[candidate.route]->matcher.accepts(exchange)) best = candidate.route;
    }
  };
  visit_hosts(host.name(), [&](const PathIndex& paths) { paths.visit(exchange.request.matched_path(), consider); });
  if (best == kNone) return nullptr;
  const Entry& entry = *entries_[best];
  exchange.destination.upstream = entry.split ? entry.split->choose(exchange) : std::string_view(entry.upstream);
  return &entry.route;
}

bool Router::has(const Route& route) const { return identities_.contains(route.identity); }

std::vector<Explanation> Router::explain(Exchange& exchange) const {
  std::vector<Explanation> out;
  for (const auto& entry : entries_) {
    auto why = entry->matcher.mismatch(exchange);
    const bool matched = why.empty();
    out.push_back({&entry->route, matched, std::move(why)});
    if (matched) break;
  }
  return out;
}

}  // namespace weir::routing
