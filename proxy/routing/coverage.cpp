#include "routing/coverage.h"

#include <algorithm>

#include "base/hash.h"

// A route W covers a later route N if each condition of W is implied by N's. Keys are chosen so that every W that
// covers N is found under one of N's keys:
// - host: N's first host is within one of W's patterns, and W stands under all of its patterns;
// - path: W's pattern is N's own, a prefix of it, or "any";
// - rest: W stands under its rarest condition on a header or parameter, which N must have; and under its method and
//   its listener where it names just one, which N must name.

namespace weir::routing {

namespace {

constexpr size_t kManyHosts = 8;  // above, a route's hosts are looked up by hash

uint64_t joined(uint64_t first, uint64_t second) { return mix(first ^ mix(second)); }
uint64_t kind_key(char kind, std::string_view text) { return hash(text, static_cast<uint64_t>(kind)); }

const uint64_t kAnyHost = kind_key('h', "");
const uint64_t kAnyPath = kind_key('/', "");
const uint64_t kNone = kind_key('-', "");     // no condition of this sort
const uint64_t kSeveral = kind_key('+', "");  // more than one

std::string host_text(HostPattern::Kind kind, std::string_view text, uint16_t port) {
  return std::string(1, static_cast<char>('0' + static_cast<int>(kind))) + std::string(text) + ':' +
         std::to_string(port);
}
std::string host_text(const HostPattern& pattern) { return host_text(pattern.kind, pattern.text, pattern.port); }

/// The patterns that cover a host pattern, as texts: itself and the wildcards above, with its port and with any.
template <class Visit>
void for_each_wider(const HostPattern& narrow, Visit visit) {
  const auto with_ports = [&](HostPattern::Kind kind, std::string_view text) {
    visit(host_text(kind, text, 0));
    if (narrow.port != 0) visit(host_text(kind, text, narrow.port));
  };
  with_ports(narrow.kind, narrow.text);
  if (narrow.kind == HostPattern::Kind::regex) return;
  const std::string_view text = narrow.text;
  for (auto dot = text.find('.', 1); dot != text.npos; dot = text.find('.', dot + 1))
    with_ports(HostPattern::Kind::wildcard, text.substr(dot));
}

uint64_t path_key(PathPattern::Kind kind, std::string_view text) {
  return kind_key(static_cast<char>('0' + static_cast<int>(kind)), text);
}

uint64_t condition_key(char sort, const config::Named<FieldPattern>& field) {
  const auto name = kind_key(sort, field.name);
  return joined(name, path_key(static_cast<PathPattern::Kind>(field.value.kind), field.value.text));
}

template <class Visit>
void for_each_condition(const MatchSettings& match, Visit visit) {
  for (const auto& field : match.headers) visit(condition_key('H', field));
  for (const auto& field : match.query) visit(condition_key('Q', field));
}

// Conditions on fields must all hold: fewer admit more.
bool fields_cover(const std::vector<config::Named<FieldPattern>>& wide,
                  const std::vector<config::Named<FieldPattern>>& narrow) {
  return std::ranges::all_of(wide, [&](const auto& condition) {
    return std::ranges::any_of(
        narrow, [&](const auto& other) { return other.name == condition.name && other.value == condition.value; });
  });
}

// Is each of `narrow` within one of `wide`? An empty list admits all.
template <class T, class Covers>
bool list_covers(const std::vector<T>& wide, const std::vector<T>& narrow, Covers covers) {
  if (wide.empty()) return true;
  return !narrow.empty() && std::ranges::all_of(narrow, [&](const T& item) {
    return std::ranges::any_of(wide, [&](const T& other) { return covers(other, item); });
  });
}

const std::string& text_of(const std::string& name) { return name; }
const std::string& text_of(const config::Located<std::string>& name) { return name.value; }

/// Of a list of which the later route must name all: what a wide route stands under, and where a narrow one looks.
template <class List>
uint64_t list_key(char sort, const List& wide) {
  if (wide.size() != 1) return wide.empty() ? kNone : kSeveral;
  return kind_key(sort, text_of(wide.front()));
}
template <class List>
std::vector<uint64_t> list_keys(char sort, const List& narrow) {
  if (narrow.empty()) return {kNone};
  return {kNone, kSeveral, kind_key(sort, text_of(narrow.front()))};
}

}  // namespace

CoverageIndex::CoverageIndex(const std::vector<RouteSettings>& routes) : routes_(routes) {
  for (const auto& route : routes) {
    for_each_condition(route.match, [&](Key key) { ++condition_counts_[key]; });
  }
}

std::vector<CoverageIndex::Key> CoverageIndex::host_keys(const MatchSettings& narrow) {
  std::vector<Key> keys{kAnyHost};
  if (narrow.hosts.empty()) return keys;
  for_each_wider(narrow.hosts.front(), [&](const std::string& text) { keys.push_back(kind_key('h', text)); });
  return keys;
}

std::vector<CoverageIndex::Key> CoverageIndex::path_keys(const PathPattern& narrow) {
  std::vector<Key> keys{kAnyPath};
  if (narrow.is_any()) return keys;
  keys.push_back(path_key(narrow.kind, narrow.text));
  if (narrow.kind == PathPattern::Kind::regex) return keys;
  const std::string_view text = narrow.text;
  for (auto slash = text.find('/', 1); slash != text.npos; slash = text.find('/', slash + 1))
    keys.push_back(path_key(PathPattern::Kind::prefix, text.substr(0, slash)));
  if (narrow.kind == PathPattern::Kind::exact) keys.push_back(path_key(PathPattern::Kind::prefix, text));
  return keys;
}

CoverageIndex::Key CoverageIndex::rest_key(const MatchSettings& wide) const {
  Key rarest = kNone;
  uint32_t count = UINT32_MAX;
  for_each_condition(wide, [&](Key key) {
    const uint32_t found = condition_counts_.at(key);
    if (found >= count) return;
    count = found;
    rarest = key;
  });
  return joined(rarest, joined(list_key('M', wide.methods), list_key('L', wide.listeners)));
}

std::vector<CoverageIndex::Key> CoverageIndex::rest_keys(const MatchSettings& narrow) const {
  std::vector<Key> lists;
  for (const Key method : list_keys('M', narrow.methods)) {
    for (const Key listener : list_keys('L', narrow.listeners)) lists.push_back(joined(method, listener));
  }
  std::vector<Key> keys;
  const auto add = [&](Key condition) {
    for (const Key list : lists) keys.push_back(joined(condition, list));
  };
  add(kNone);
  for_each_condition(narrow, add);
  return keys;
}

void CoverageIndex::add(uint32_t route) {
  const auto& match = routes_[route].match;
  const Key path = match.path.is_any() ? kAnyPath : path_key(match.path.kind, match.path.text);
  const Key rest = rest_key(match);
  const auto put = [&](Key host) {
    const Key place = joined(host, path);
    places_.insert(place);
    auto& routes = by_keys_[joined(place, rest)];
    if (routes.empty() || routes.back() != route) routes.push_back(route);
  };
  if (match.hosts.empty()) put(kAnyHost);
  for (const auto& host : match.hosts) put(kind_key('h', host_text(host)));
  if (match.hosts.size() <= kManyHosts) return;
  auto& texts = host_sets_[route];
  for (const auto& host : match.hosts) texts.insert(host_text(host));
}

std::optional<uint32_t> CoverageIndex::first_covering(const MatchSettings& match) const {
  const auto paths = path_keys(match.path);
  const auto rests = rest_keys(match);
  std::optional<uint32_t> first;
  for (const Key host : host_keys(match)) {
    for (const Key path : paths) {
      const Key place = joined(host, path);
      if (!places_.contains(place)) continue;
      for (const Key rest : rests) {
        const auto found = by_keys_.find(joined(place, rest));
        if (found == by_keys_.end()) continue;
        for (const uint32_t route : found->second) {
          if (first && route >= *first) break;
          if (covers(route, match)) first = route;
        }
      }
    }
  }
  return first;
}

bool CoverageIndex::hosts_cover(uint32_t wide, const std::vector<HostPattern>& narrow) const {
  const auto& hosts = routes_[wide].match.hosts;
  const auto texts = host_sets_.find(wide);
  if (texts == host_sets_.end())
    return list_covers(hosts, narrow, [](const auto& a, const auto& b) { return routing::covers(a, b); });
  return !narrow.empty() && std::ranges::all_of(narrow, [&](const HostPattern& host) {
    bool is_covered = false;
    for_each_wider(host, [&](const std::string& text) { is_covered = is_covered || texts->second.contains(text); });
    return is_covered;
  });
}

bool CoverageIndex::covers(uint32_t wide, const MatchSettings& narrow) const {
  ++comparisons_;
  const auto& match = routes_[wide].match;
  return routing::covers(match.path, narrow.path) && hosts_cover(wide, narrow.hosts) &&
         list_covers(match.methods, narrow.methods, std::equal_to<>()) &&
         list_covers(match.listeners, narrow.listeners, [](const auto& a, const auto& b) { return *a == *b; }) &&
         fields_cover(match.headers, narrow.headers) && fields_cover(match.query, narrow.query);
}

}  // namespace weir::routing
