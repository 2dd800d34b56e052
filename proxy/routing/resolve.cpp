// What only all routes together tell: names, and routes that no request reaches.

#include <algorithm>
#include <unordered_map>

#include "config/suggest.h"
#include "routing/config.h"

namespace weir::routing {

namespace {

void check_names(std::vector<RouteSettings>& routes, config::Problems& problems) {
  std::unordered_map<std::string_view, size_t> first;
  for (size_t i = 0; i < routes.size(); ++i) {
    auto& name = routes[i].name;
    if (name->empty()) name.value = "route-" + std::to_string(i + 1);
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

// Is each of `narrow` within one of `wide`? An empty list admits all.
template <class T, class Covers>
bool list_covers(const std::vector<T>& wide, const std::vector<T>& narrow, Covers covers) {
  if (wide.empty()) return true;
  return !narrow.empty() && std::ranges::all_of(narrow, [&](const T& item) {
    return std::ranges::any_of(wide, [&](const T& other) { return covers(other, item); });
  });
}

// Conditions on fields must all hold: fewer admit more.
bool fields_cover(const std::vector<config::Named<FieldPattern>>& wide,
                  const std::vector<config::Named<FieldPattern>>& narrow) {
  return std::ranges::all_of(wide, [&](const auto& condition) {
    return std::ranges::any_of(
        narrow, [&](const auto& other) { return other.name == condition.name && other.value == condition.value; });
  });
}

bool covers(const MatchSettings& wide, const MatchSettings& narrow) {
  return covers(wide.path, narrow.path) &&
         list_covers(wide.hosts, narrow.hosts, [](const auto& a, const auto& b) { return covers(a, b); }) &&
         list_covers(wide.methods, narrow.methods, std::equal_to<>()) &&
         list_covers(wide.listeners, narrow.listeners, [](const auto& a, const auto& b) { return *a == *b; }) &&
         fields_cover(wide.headers, narrow.headers) && fields_cover(wide.query, narrow.query);
}

void check_reached(const std::vector<RouteSettings>& routes, config::Problems& problems) {
  for (size_t i = 1; i < routes.size(); ++i) {
    const auto& route = routes[i];
    const auto earlier = std::find_if(routes.begin(), routes.begin() + static_cast<ptrdiff_t>(i),
                                      [&](const auto& other) { return covers(other.match, route.match); });
    if (earlier == routes.begin() + static_cast<ptrdiff_t>(i)) continue;
    const auto& at = route.match.at.line ? route.match.at : route.name.at;
    problems.add(at, "route '" + *route.name + "' is never reached: '" + *earlier->name + "' matches all of it before",
                 "the first route that matches wins: put this one before '" + *earlier->name + "', or narrow that one");
  }
}

}  // namespace

void resolve(std::vector<RouteSettings>& routes, const KnownNames& known, config::Problems& problems) {
  const auto problems_before = problems.size();
  check_names(routes, problems);
  for (const auto& route : routes) check_references(route, known, problems);
  // A setting that was wrong left its default, which would make the route seem wider than it is written.
  if (problems_before == 0) check_reached(routes, problems);
}

}  // namespace weir::routing
