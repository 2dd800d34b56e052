#include "routing/coverage.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "unit/growth.h"
#include "unit/routing/bench.h"

using namespace weir;
using namespace weir::routing;

namespace {

using Fields = std::vector<config::Named<FieldPattern>>;

/// As the index is defined, by comparing everything with everything.
struct Plainly {
  static bool fields(const Fields& wide, const Fields& narrow) {
    return std::ranges::all_of(wide, [&](const auto& condition) {
      return std::ranges::any_of(
          narrow, [&](const auto& other) { return other.name == condition.name && other.value == condition.value; });
    });
  }
  template <class T, class Covers>
  static bool list(const std::vector<T>& wide, const std::vector<T>& narrow, Covers covers) {
    if (wide.empty()) return true;
    return !narrow.empty() && std::ranges::all_of(narrow, [&](const T& item) {
      return std::ranges::any_of(wide, [&](const T& other) { return covers(other, item); });
    });
  }
  static bool covers(const MatchSettings& wide, const MatchSettings& narrow) {
    return routing::covers(wide.path, narrow.path) &&
           list(wide.hosts, narrow.hosts, [](const auto& a, const auto& b) { return routing::covers(a, b); }) &&
           list(wide.methods, narrow.methods, std::equal_to<>()) &&
           list(wide.listeners, narrow.listeners, [](const auto& a, const auto& b) { return *a == *b; }) &&
           fields(wide.headers, narrow.headers) && fields(wide.query, narrow.query);
  }
  static std::optional<uint32_t> first(const std::vector<RouteSettings>& routes, uint32_t of) {
    for (uint32_t i = 0; i < of; ++i) {
      if (covers(routes[i].match, routes[of].match)) return i;
    }
    return std::nullopt;
  }
};

/// Routes of few words, so that many cover each other in part.
class Draw {
 public:
  explicit Draw(unsigned seed) : random_(seed) {}

  RouteSettings route() {
    RouteSettings route;
    auto& match = route.match;
    static const std::vector<HostPattern> kHosts{
        {HostPattern::Kind::exact, "a.example"},
        {HostPattern::Kind::exact, "b.a.example", 80},
        {HostPattern::Kind::exact, "b.a.example"},
        {HostPattern::Kind::wildcard, ".example"},
        {HostPattern::Kind::wildcard, ".a.example"},
        {HostPattern::Kind::wildcard, ".example", 80},
        {HostPattern::Kind::exact, "a.example", 8080},
        {HostPattern::Kind::regex, ".*"},
        {HostPattern::Kind::wildcard, ".b.a.example"},
        {HostPattern::Kind::exact, "c.b.a.example"},
        {HostPattern::Kind::regex, "x+"},
        {HostPattern::Kind::exact, "other"},
    };
    static const std::vector<PathPattern> kPaths{
        {PathPattern::Kind::prefix, ""},      {PathPattern::Kind::prefix, "/v1"},
        {PathPattern::Kind::prefix, "/v1/x"}, {PathPattern::Kind::exact, "/v1"},
        {PathPattern::Kind::exact, "/v1/"},   {PathPattern::Kind::exact, "/v1/x/y"},
        {PathPattern::Kind::prefix, "/v10"},  {PathPattern::Kind::exact, "/"},
        {PathPattern::Kind::regex, "/v1/x"},  {PathPattern::Kind::prefix, "/v1/x/y"}};
    match.path = one_of(kPaths);
    match.hosts = some_of(kHosts, chance(10) ? 11 : 3);
    match.methods = some_of<std::string>({"GET", "POST", "PUT"}, 3);
    for (const auto& name : some_of<std::string>({"main", "secure"}, 2)) match.listeners.push_back({name, {}});
    for (const auto& name : some_of<std::string>({"x-a", "x-b"}, 2)) match.headers.push_back({name, field(), {}});
    for (const auto& name : some_of<std::string>({"q", "r"}, 1)) match.query.push_back({name, field(), {}});
    return route;
  }

 private:
  bool chance(unsigned percent) { return random_() % 100 < percent; }
  template <class T>
  const T& one_of(const std::vector<T>& all) {
    return all[random_() % all.size()];
  }
  /// None half of the time.
  template <class T>
  std::vector<T> some_of(const std::vector<T>& all, size_t most) {
    std::vector<T> some;
    if (chance(50)) return some;
    for (size_t i = 1 + random_() % most; i > 0; --i) {
      const T& item = one_of(all);
      if (std::ranges::find(some, item) == some.end()) some.push_back(item);
    }
    return some;
  }
  FieldPattern field() {
    return one_of(std::vector<FieldPattern>{{FieldPattern::Kind::exact, "1"},
                                            {FieldPattern::Kind::exact, "2"},
                                            {FieldPattern::Kind::present, ""},
                                            {FieldPattern::Kind::regex, "1"}});
  }
  std::mt19937 random_;
};

/// Routes that don't cover each other, told apart by `tell`.
template <class Tell>
std::vector<RouteSettings> distinct(size_t count, Tell tell) {
  std::vector<RouteSettings> routes(count);
  for (size_t i = 0; i < count; ++i) tell(routes[i].match, std::to_string(i));
  return routes;
}

/// How many full comparisons it takes to find that none is covered, for each route.
double comparisons(const std::vector<RouteSettings>& routes) {
  CoverageIndex index(routes);
  for (uint32_t i = 0; i < routes.size(); ++i) {
    CHECK_FALSE(index.first_covering(routes[i].match));
    index.add(i);
  }
  return static_cast<double>(index.comparisons()) / static_cast<double>(routes.size());
}

}  // namespace

TEST_CASE("routes: the index finds the first covering route that a comparison of all finds") {
  size_t covered = 0;
  for (unsigned seed = 0; seed < 40; ++seed) {
    Draw draw(seed);
    std::vector<RouteSettings> routes;
    for (int i = 0; i < 150; ++i) routes.push_back(draw.route());
    CoverageIndex index(routes);
    for (uint32_t i = 0; i < routes.size(); ++i) {
      CAPTURE(seed);
      CAPTURE(i);
      const auto found = index.first_covering(routes[i].match);
      REQUIRE(found == Plainly::first(routes, i));
      covered += found.has_value();
      index.add(i);
    }
  }
  CHECK(covered > 500);  // else this would show nothing
  CHECK(covered < 5500);
}

TEST_CASE("routes: a route is compared with few others, whatever tells them apart") {
  constexpr size_t kRoutes = 4000;
  const auto of = [](auto tell) { return comparisons(distinct(kRoutes, tell)); };
  CHECK(of([](auto& match, auto i) { match.path = {PathPattern::Kind::prefix, "/" + i}; }) < 2);
  CHECK(of([](auto& match, auto i) { match.path = {PathPattern::Kind::regex, "/" + i}; }) < 2);
  CHECK(of([](auto& match, auto i) { match.hosts = {{HostPattern::Kind::exact, i + ".example"}}; }) < 2);
  CHECK(of([](auto& match, auto i) { match.hosts = {{HostPattern::Kind::wildcard, "." + i + ".example"}}; }) < 2);
  CHECK(of([](auto& match, auto i) {
          match.headers = {{"x-env", {FieldPattern::Kind::exact, "prod"}, {}},
                           {"x-tenant", {FieldPattern::Kind::exact, i}, {}}};
        }) < 2);
  CHECK(of([](auto& match, auto i) { match.query = {{"tenant", {FieldPattern::Kind::exact, i}, {}}}; }) < 2);
  CHECK(of([](auto& match, auto i) { match.listeners = {{i, {}}}; }) < 2);
  CHECK(of([](auto& match, auto i) { match.methods = {"M" + i}; }) < 2);
}

TEST_CASE("routes: the cost of checking them grows with their number, not with its square") {
  const double factor = growth(2000, [](size_t count) {
    auto routes = distinct(count, [](auto& match, auto i) {
      match.hosts = {{HostPattern::Kind::exact, "host" + i + ".example"}};
      match.path = {PathPattern::Kind::prefix, "/api/v" + i};
    });
    KnownNames known;
    for (size_t i = 0; i < count; ++i) {
      known.upstreams.add("pool" + std::to_string(i));
      routes[i].upstream = {"pool" + std::to_string(i), {}};
    }
    config::Problems problems;
    resolve(routes, known, problems);
    CHECK(problems.empty());
  });
  CHECK(factor < kNearLinear);
}

TEST_CASE("routes: two routes with thousands of hosts are compared at the cost of their hosts") {
  const double factor = growth(1000, [](size_t count) {
    std::vector<RouteSettings> routes(2);
    for (auto& route : routes) {
      for (size_t i = 0; i < count; ++i) route.match.hosts.push_back({HostPattern::Kind::exact, std::to_string(i)});
    }
    routes[1].match.hosts.back().text = "other";
    CoverageIndex index(routes);
    index.add(0);
    CHECK_FALSE(index.first_covering(routes[1].match));
  });
  CHECK(factor < kNearLinear);
}

TEST_CASE("routes: thousands that name no upstream are told in a time that grows with their number") {
  const auto tell = [](size_t count) {
    KnownNames known;
    std::vector<RouteSettings> routes(count);
    for (size_t i = 0; i < count; ++i) {
      known.upstreams.add("pool" + std::to_string(i));
      routes[i].upstream = {"poool" + std::to_string(i), {}};
      routes[i].match.path = {PathPattern::Kind::prefix, "/" + std::to_string(i)};
    }
    config::Problems problems;
    resolve(routes, known, problems);
    CHECK(problems.size() == count);
    CHECK(problems.all()[1].hint.starts_with("did you mean 'pool1'? upstreams: pool0, pool1, "));
    CHECK(problems.all()[1].hint.ends_with(" and " + std::to_string(count - 30) + " more"));
  };
  CHECK(growth(1500, tell) < kNearLinear);
}

TEST_CASE("router: thousands of expressions for paths and hosts are gathered in a time that grows with their number") {
  const double factor = growth(1000, [](size_t count) {
    std::vector<std::pair<RouteSettings, Route>> routes;
    for (size_t i = 0; i < count; ++i) {
      RouteSettings settings;
      settings.match.path = {PathPattern::Kind::regex, "/x" + std::to_string(i)};
      settings.match.hosts = {{HostPattern::Kind::regex, "h" + std::to_string(i)}};
      settings.identity = std::to_string(i);
      routes.push_back({settings, Route{}});
    }
    const Router router(std::move(routes));
    CHECK(router.has(Route{.identity = "7"}));
    CHECK_FALSE(router.has(Route{.identity = "x"}));
  });
  CHECK(factor < kNearLinear);
}
