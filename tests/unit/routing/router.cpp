// The router's indexes against the rule itself, tried route by route.

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <regex>

#include "unit/routing/bench.h"

using namespace weir;
using namespace weir::routing;

namespace {

class Dice {
 public:
  explicit Dice(unsigned seed) : random_(seed) {}
  size_t below(size_t n) { return random_() % n; }
  bool one_in(size_t n) { return below(n) == 0; }
  template <class T>
  const T& of(const std::vector<T>& choices) {
    return choices[below(choices.size())];
  }

 private:
  std::mt19937 random_;
};

const std::vector<std::string> kHosts = {"a.x", "b.x", "c.b.x", "x", "a.y", "B.X"};
const std::vector<std::string> kPorts = {"", ":80", ":81"};
const std::vector<std::string> kSegments = {"a", "b", "ab", ""};

HostPattern any_host(Dice& dice) {
  const uint16_t port = dice.one_in(4) ? 81 : 0;
  switch (dice.below(3)) {
    case 0: return {HostPattern::Kind::exact, dice.of<std::string>({"a.x", "b.x", "x", "a.y"}), port};
    case 1: return {HostPattern::Kind::wildcard, dice.of<std::string>({".x", ".b.x", ".y"}), port};
    default: return {HostPattern::Kind::regex, dice.of<std::string>({"[ab].x", ".*y", "x"}), 0};
  }
}

std::string any_path(Dice& dice) {
  std::string path;
  for (size_t n = 1 + dice.below(4); n > 0; --n) path += "/" + dice.of(kSegments);
  return path;
}

PathPattern any_path_pattern(Dice& dice) {
  switch (dice.below(4)) {
    case 0: return {};
    case 1: return {PathPattern::Kind::exact, any_path(dice)};
    case 2: {
      const auto path = any_path(dice);
      return {PathPattern::Kind::prefix, path.ends_with('/') ? path.substr(0, path.size() - 1) : path};
    }
    default: return {PathPattern::Kind::regex, dice.of<std::string>({"/a.*", "/[ab]", ".*/b", "/ab/?"})};
  }
}

MatchSettings any_match(Dice& dice) {
  MatchSettings match;
  for (size_t n = dice.below(3); n > 0; --n) match.hosts.push_back(any_host(dice));
  match.path = any_path_pattern(dice);
  if (dice.one_in(3)) match.methods = {dice.of<std::string>({"GET", "POST"})};
  if (dice.one_in(4)) match.headers.push_back({"X-A", {FieldPattern::Kind::exact, "1"}});
  return match;
}

bool matches(const HostPattern& pattern, std::string host, unsigned port) {
  std::ranges::transform(host, host.begin(), to_lower);
  if (pattern.port && pattern.port != port) return false;
  if (pattern.kind == HostPattern::Kind::exact) return host == pattern.text;
  if (pattern.kind == HostPattern::Kind::regex) return std::regex_match(host, std::regex(pattern.text));
  return host.size() > pattern.text.size() && host.ends_with(pattern.text);
}

bool matches(const PathPattern& pattern, const std::string& path) {
  if (pattern.kind == PathPattern::Kind::exact) return path == pattern.text;
  if (pattern.kind == PathPattern::Kind::regex) return std::regex_match(path, std::regex(pattern.text));
  return path == pattern.text || path.starts_with(pattern.text + "/");
}

struct Asked {
  std::string method, host, port, path;
  bool has_header;
};

bool matches(const MatchSettings& match, const Asked& asked) {
  const unsigned port = asked.port == ":81" ? 81 : 80;
  const bool host = match.hosts.empty() || std::ranges::any_of(match.hosts, [&](const auto& pattern) {
                      return matches(pattern, asked.host, port);
                    });
  const bool method = match.methods.empty() || match.methods.front() == asked.method;
  return host && method && matches(match.path, asked.path) && (match.headers.empty() || asked.has_header);
}

}  // namespace

TEST_CASE("router: for any routes and requests, find and explain tell the first that matches") {
  Worker worker;
  for (unsigned seed = 1; seed <= 60; ++seed) {
    Dice dice(seed);
    std::vector<MatchSettings> all;
    std::vector<std::pair<RouteSettings, Route>> routes;
    for (size_t n = 1 + dice.below(20); n > 0; --n) {
      all.push_back(any_match(dice));
      routes.push_back({RouteSettings{.match = all.back()}, Route{.name = std::to_string(all.size())}});
    }
    const Router router(std::move(routes));
    for (int i = 0; i < 50; ++i) {
      const Asked asked{dice.of<std::string>({"GET", "POST"}), dice.of(kHosts), dice.of(kPorts), any_path(dice),
                        dice.one_in(2)};
      Request request(worker, asked.method, "http://" + asked.host + asked.port + asked.path);
      if (asked.has_header) request.header("x-a", "1");
      const auto first = std::ranges::find_if(all, [&](const auto& match) { return matches(match, asked); });
      const Route* expected = first == all.end() ? nullptr : &router[static_cast<size_t>(first - all.begin())];
      CAPTURE(seed);
      CAPTURE(asked.host + asked.port + asked.path);
      CHECK(router.find(request.exchange) == expected);
      const auto told = router.explain(request.exchange);
      CHECK((told.back().matched ? told.back().route : nullptr) == expected);
    }
  }
}

TEST_CASE("router: a host that is longer than DNS allows reaches only routes for any host") {
  const Bench bench(
      "routes: [{ name: wild, match: { host: '*.example' }, upstream: api }, { name: any, upstream: api }]");
  CHECK(bench.route("GET", "http://" + std::string(300, 'a') + ".example/") == "any");
}

TEST_CASE("router: a route's index is its place") {
  const Bench bench("routes: [{ match: { path: /a }, upstream: api }, { upstream: api }]");
  const auto router = bench.router();
  CHECK(router[0].index == 0);
  CHECK(router[1].index == 1);
}

TEST_CASE("routes: what a route without a name is doesn't depend on its place, but on its match and destination") {
  const auto identity = [](const std::string& yaml, size_t index = 0) {
    const Bench bench("routes: [" + yaml + "]");
    REQUIRE_MESSAGE(bench.problems.empty(), bench.problems.text());
    return bench.routes[index].identity;
  };
  const std::string shop = "{ match: { path: /shop }, upstream: api }";
  CHECK(identity(shop) == identity("{ match: { path: /new }, upstream: api }, " + shop, 1));
  CHECK(identity(shop) == identity("{ match: { path: /shop }, upstream: api, timeout: 5s, filters: [] }"));
  for (const auto* other :
       {"{ match: { path: /shop }, upstream: canary }", "{ match: { path: /shops }, upstream: api }",
        "{ match: { path: { exact: /shop } }, upstream: api }",
        "{ match: { path: /shop, host: a.example }, upstream: api }",
        "{ match: { path: /shop, methods: GET }, upstream: api }", "{ match: { path: /shop }, respond: 204 }",
        "{ match: { path: /shop, headers: { x-a: b } }, upstream: api }",
        "{ match: { path: /shop, query: { x-a: b } }, upstream: api }",
        "{ match: { path: /shop, headers: { x-a: { present: true } } }, upstream: api }",
        "{ match: { path: /shop, listener: main }, upstream: api }", "{ match: { path: /shop }, split: { api: 1 } }"}) {
    CAPTURE(other);
    CHECK(identity(other) != identity(shop));
  }
  CHECK(identity("{ name: shop, match: { path: /shop }, upstream: api }") == "shop");
}

TEST_CASE("router: whether a route is still there is told by what it is, not by its place") {
  const Bench before("routes: [{ match: { path: /old }, upstream: api }, { upstream: api }]");
  const Bench after("routes: [{ match: { path: /new }, upstream: api }, { upstream: api }]");
  const auto old_router = before.router();
  const auto router = after.router();
  CHECK_FALSE(router.has(old_router[0]));
  CHECK(router.has(old_router[1]));
}

TEST_CASE("router: routes match the decoded path, and explain tells that form") {
  const Bench bench(
      "routes: [{ name: admin, match: { path: /admin }, respond: 403 },"
      " { name: item, match: { path: { regex: '/items/[0-9]+' } }, upstream: api },"
      " { name: page, match: { path: { exact: /page } }, upstream: api }, { name: rest, upstream: api }]");
  const auto taken = [&](std::string_view target) {
    Request request(bench.worker, "GET", target);
    request.normalize();
    return bench.route(request.exchange);
  };
  for (const auto* path :
       {"/admin", "//admin", "/%2fadmin", "/a/..%2fadmin", "/%5cadmin", "/admin%2fx", "/x%2f..%5cadmin"}) {
    CAPTURE(path);
    CHECK(taken(path) == "admin");
  }
  CHECK(taken("//items%2F7") == "item");
  CHECK(taken("/a%2F../page") == "page");
  CHECK(taken("/administrator") == "rest");

  Request request(bench.worker, "GET", "//items%2Fx");
  request.normalize();
  CHECK(bench.router().explain(request.exchange)[1].why == "path: wants regex /items/[0-9]+, got /items/x");
}
