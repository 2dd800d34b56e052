// What only all routes together tell: names, and routes that no request reaches.

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "config/suggest.h"
#include "routing/config.h"
#include "routing/coverage.h"
#include "routing/identity.h"

namespace weir::routing {

namespace {

void check_names(std::vector<RouteSettings>& routes, config::Problems& problems) {
  std::unordered_map<std::string_view, size_t> first;
  for (size_t i = 0; i < routes.size(); ++i) {
    auto& name = routes[i].name;
    const bool has_name = !name->empty();
    routes[i].identity = has_name ? *name : route_identity(routes[i]);
    routes[i].salt = has_name ? *name : match_identity(routes[i].match);
    if (!has_name) name.value = "route-" + std::to_string(i + 1);
    const auto [known, is_new] = first.emplace(*name, i);
    if (is_new) continue;
    problems.add(name.at, "'" + *name + "' is the name of routes[" + std::to_string(known->second) + "] already",
                 "metrics and logs tell routes by their names: choose another");
  }
}

void check_references(const RouteSettings& route, const KnownNames& known, config::Problems& problems) {
  if (route.upstream) config::check_known("upstream", **route.upstream, route.upstream->at, known.upstreams, problems);
  if (route.split) {
    for (const auto& share : route.split->weights) {
      config::check_known("upstream", share.name, share.at, known.upstreams, problems);
    }
  }
  for (const auto& listener : route.match.listeners) {
    config::check_known("listener", *listener, listener.at, known.listeners, problems);
  }
}

/// For each route, whether its match had a Problem: what was wrong left its default, so that the route seems wider than
/// it is written.
std::vector<bool> wrong_matches(const std::vector<RouteSettings>& routes, const config::Problems& problems) {
  constexpr std::string_view kMatch = ".match";
  std::unordered_set<std::string> places;  // of matches, and of whole routes: a setting that is not known
  for (const auto& problem : problems.all()) {
    const auto at = problem.at.path.find(kMatch);
    places.insert(at == std::string::npos ? problem.at.path : problem.at.path.substr(0, at + kMatch.size()));
  }
  std::vector<bool> wrong;
  for (const auto& route : routes) {
    const auto& match = route.match.at.path;
    const auto whole = match.substr(0, match.size() - std::min(match.size(), kMatch.size()));
    wrong.push_back(places.contains(match) || places.contains(whole));
  }
  return wrong;
}

void check_reached(const std::vector<RouteSettings>& routes, config::Problems& problems) {
  if (problems.is_full()) return;
  const auto wrong = wrong_matches(routes, problems);
  CoverageIndex earlier_routes(routes);
  for (uint32_t i = 0; i < routes.size(); ++i) {
    const auto& route = routes[i];
    if (wrong[i]) continue;
    const auto found = earlier_routes.first_covering(route.match);
    earlier_routes.add(i);
    if (!found) continue;
    const auto& earlier = routes[*found];
    const auto& at = route.match.at.line ? route.match.at : route.name.at;
    const auto line = earlier.name.at.line > 0 ? " on line " + std::to_string(earlier.name.at.line) : "";
    problems.add(at, "route '" + *route.name + "' is never reached: '" + *earlier.name + "' matches all of it before",
                 "the first route that matches wins: put this one before '" + *earlier.name + "'" + line +
                     ", or narrow that one");
  }
}

}  // namespace

void resolve(std::vector<RouteSettings>& routes, const KnownNames& known, config::Problems& problems) {
  check_names(routes, problems);
  for (const auto& route : routes) check_references(route, known, problems);
  check_reached(routes, problems);
}

}  // namespace weir::routing
