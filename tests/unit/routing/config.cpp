#include <doctest/doctest.h>

#include "unit/routing/bench.h"

using namespace weir;
using namespace weir::routing;

namespace {

std::string problem(const std::string& route) { return Bench("routes: [{ " + route + " }]").problem(); }
std::string problem_of_match(const std::string& match) { return problem("match: { " + match + " }, upstream: api"); }

}  // namespace

TEST_CASE("routes: a route does just one thing") {
  CHECK(problem("name: a") == "one of these is missing: upstream, split, redirect, respond");
  CHECK(problem("upstream: api, respond: 204") == "'respond' and 'upstream' exclude each other");
}

TEST_CASE("routes: a name is used once, the given ones too") {
  Bench bench("routes: [{ name: route-2, match: { path: /a }, upstream: api }, { upstream: api }]");
  CHECK(bench.problem() == "'route-2' is the name of routes[0] already");
}

TEST_CASE("routes: an upstream that nobody has is told with the nearest that there is") {
  Bench bench("routes:\n  - upstream: apy\n");
  REQUIRE(bench.problems.size() == 1);
  const auto& told = bench.problems.all().front();
  CHECK(told.message == "no upstream is named 'apy'");
  CHECK(told.hint == "did you mean 'api'? upstreams: api, canary, files");
  CHECK(told.at.line == 2);
  CHECK(told.at.column == 15);
}

TEST_CASE("routes: a split names upstreams that there are") {
  CHECK(problem("split: { api: 90, canery: 10 }") == "no upstream is named 'canery'");
}

TEST_CASE("routes: a listener that nobody has is told") {
  CHECK(problem_of_match("listener: secure") == "no listener is named 'secure'");
}

TEST_CASE("routes: one behind another that takes all of it is never reached") {
  const auto told = [](const std::string& first, const std::string& second) {
    return Bench("routes: [{ name: a, match: { " + first + " }, upstream: api }, { name: b, match: { " + second +
                 " }, upstream: api }]")
        .problem();
  };
  const std::string never = "route 'b' is never reached: 'a' matches all of it before";
  CHECK(told("path: /", "host: x.example") == never);
  CHECK(told("path: /v1", "path: { exact: /v1/x }") == never);
  CHECK(told("host: '*.example'", "host: [a.example, '*.b.example'], methods: GET") == never);
  CHECK(told("methods: [GET, POST]", "methods: GET") == never);
  CHECK(told("headers: { a: '1' }", "headers: { a: '1', b: '2' }") == never);
  CHECK(told("path: /v1", "path: /v10") == "");
  CHECK(told("path: { exact: / }", "path: /") == "");
  CHECK(told("host: 'a.example:80'", "host: a.example") == "");
  CHECK(told("methods: GET", "path: /") == "");
  CHECK(told("headers: { a: '1' }", "headers: { a: '2' }") == "");
}

TEST_CASE("match: a regular expression that doesn't compile is told where it stands") {
  CHECK(problem_of_match("path: { regex: '(' }").starts_with("'(' is not a regular expression: missing )"));
  CHECK(problem_of_match("host: { regex: '(?=x)' }").starts_with("'(?=x)' is not a regular expression"));
  CHECK(problem_of_match("query: { a: { regex: '[' } }").starts_with("'[' is not a regular expression"));
}

TEST_CASE("match: an empty list would match nothing") {
  CHECK(problem_of_match("methods: []") == "is empty");
  CHECK(problem_of_match("host: []") == "is empty");
  CHECK(problem_of_match("headers: {}") == "is empty");
}

TEST_CASE("match.host: what is no host is told") {
  CHECK(problem_of_match("host: 'a b'") == "'a b': not a host name");
  CHECK(problem_of_match("host: 'a.*.example'") == "'a.*.example': a wildcard stands for whole labels at the start");
  CHECK(problem_of_match("host: 'a.example:0'") == "'a.example:0': not a host name");
}

TEST_CASE("match.path: a path that no request arrives with is told, with the form that they have") {
  CHECK(problem_of_match("path: v1") == "'v1' is not a path");
  Bench bench("routes: [{ match: { path: /a/../%7Eb }, upstream: api }]");
  REQUIRE(bench.problems.size() == 1);
  CHECK(bench.problems.all().front().message == "'/a/../%7Eb' is not how requests arrive");
  CHECK(bench.problems.all().front().hint == "write /~b");
}

TEST_CASE("match.path: a path that no request has in the form that routes match is told, with that form") {
  for (const auto& [path, form] : {std::pair("/a%2Fb", "/a/b"), {"/a//b", "/a/b"}, {"/%40x", "/@x"}, {"//", "/"}}) {
    for (const auto* kind : {"prefix", "exact"}) {
      CAPTURE(path);
      const auto routes = "routes: [{ match: { path: { " + std::string(kind) + ": '" + path + "' } }, upstream: api }]";
      const Bench bench(routes);
      REQUIRE(bench.problems.size() == 1);
      const auto& problem = bench.problems.all().front();
      CHECK(problem.message == "'" + std::string(path) + "' matches no path: routes match the decoded path");
      CHECK(problem.hint ==
            "write " + std::string(form) + ", or path: { match: sent } to match paths as they are sent");
      CHECK(problem.at.path == "routes[0].match.path");
      CHECK(Bench(routes, Bench::Match::sent).problems.empty());
    }
  }
}

TEST_CASE("match.path: an expression for what no decoded path has is warned of") {
  const auto warnings = [](const std::string& regex, Bench::Match match = Bench::Match::decoded) {
    const Bench bench("routes: [{ match: { path: { regex: '" + regex + "' } }, upstream: api }]", match);
    CHECK(bench.problems.empty());
    return bench.problems.warnings().size();
  };
  CHECK(warnings("/projects/[^/]+%2F[^/]+") == 1);
  CHECK(warnings("/fetch/https?://.*") == 1);
  CHECK(warnings("/fetch/https?://.*", Bench::Match::sent) == 0);
  CHECK(warnings("/a//?b%20c") == 0);
}

TEST_CASE("match.methods: small letters are told") {
  CHECK(problem_of_match("methods: get") == "'get' matches no usual request: methods have a case");
}

TEST_CASE("rewrite: what cannot be done is told") {
  const auto told = [](const std::string& rewrite) { return problem("upstream: api, rewrite: { " + rewrite + " }"); };
  CHECK(told("prefix: new") == "'new' is not a path");
  CHECK(told("regex: '/a(.*)'") == "'regex' and 'to' go together");
  CHECK(told("regex: '/a(.*)', to: '/b\\2'") == "'\\2' stands for nothing");
  CHECK(told("host: 'a b'") == "'a b' is not a host");
  CHECK(problem("respond: 204, rewrite: { prefix: / }") == "nothing is sent on from here");
}

TEST_CASE("split: shares are whole numbers up to 1000, and not all 0") {
  CHECK(problem("split: { api: 0 }") == "all shares are 0");
  CHECK(problem("split: { api: 1001 }") == "'1001' is too large");
  CHECK(problem("split: { weights: { api: 1 }, key: cookie }") == "'cookie' is not a key");
}

TEST_CASE("redirect: what is no redirect is told") {
  CHECK(problem("redirect: example.com") == "'example.com' is not an address");
  CHECK(problem("redirect: 'https://{hots}/'") == "'{hots}' is not known");
  CHECK(problem("redirect: { to: /new, status: 200 }") == "'200' redirects nobody");
}

TEST_CASE("respond: fields that would break the message are told") {
  CHECK(problem("respond: { headers: { content-length: 3 } }") == "'content-length' is not for settings");
  CHECK(problem("respond: { headers: { x: \"a\\nb\" } }") == "the value of 'x' has bytes that no field has");
  CHECK(problem("respond: { status: 204, body: x }") == "a response 204 has no body");
}

TEST_CASE("routes: they can be described for editors") {
  const auto description = config::describe<RoutesFile>();
  CHECK(description.fields.front().name == "routes");
}

namespace {

std::string hint_of_match(const std::string& match) {
  const Bench bench("routes: [{ match: { " + match + " }, upstream: api }]");
  return bench.problems.empty() ? "" : bench.problems.all().front().hint;
}

std::string problem_of_rewrite(const std::string& rewrite) {
  return problem("upstream: api, rewrite: { " + rewrite + " }");
}

}  // namespace

TEST_CASE("match.path: a path in another proxy's form is told in Weir's") {
  CHECK(hint_of_match("path: '/api/*'") == "write path: /api/, a prefix: it takes all below it");
  CHECK(hint_of_match("path: '/api/**'") == "write path: /api/, a prefix: it takes all below it");
  CHECK(hint_of_match("path: { exact: '/api/*' }") == "write path: /api/, a prefix: it takes all below it");
  CHECK(hint_of_match("path: '*.php'").starts_with("write { regex"));
  CHECK(hint_of_match("path: '/x?y=1'") == "write path: /x and query: { NAME: VALUE }");
  CHECK(hint_of_match("path: '~ ^/x'").starts_with("write { regex"));
  CHECK(hint_of_match("path: '^~ /x/'") == "write path: /x/, a prefix");
  CHECK(hint_of_match("path: '= /x'") == "write { exact: /x }");
  CHECK(hint_of_match("path: '$request_uri'").contains("{path}"));
}

TEST_CASE("match.path: an expression that matches no path is told") {
  for (const auto* pattern : {"api/.*", R"(\.php$)", "[a-z]+", "(?:a|b)/x", "^x"}) {
    CAPTURE(pattern);
    CHECK(problem_of_match("path: { regex: '" + std::string(pattern) + "' }").contains("matches no path"));
  }
  CHECK(problem_of_match(R"(path: { regex: '/x\?y=.*' })").contains("a path ends before the '?'"));
  CHECK(hint_of_match(R"(path: { regex: '^\.php' })") == R"(write a '/' or .* before it: '.*\.php')");
  for (const auto* pattern :
       {"/api/.*", ".*", R"(.*\.php)", "(?:a|/b)/x", "^/x$", "[^x]*", "(?i)/X", R"(/x(\?.*)?)", R"(/x\?*)"}) {
    CAPTURE(pattern);
    CHECK(problem_of_match("path: { regex: '" + std::string(pattern) + "' }") == "");
  }
}

TEST_CASE("match.path: an expression that only begins a path gets a warning") {
  const Bench bench("routes: [{ match: { path: { regex: '^/api/' } }, upstream: api }]");
  CHECK(bench.problems.empty());
  REQUIRE(bench.problems.warnings().size() == 1);
  CHECK(bench.problems.warnings().front().hint == "write path: /api/, a prefix, or { regex: '/api/.*' }");
}

TEST_CASE("match: the look-alikes of a named group, any method and any host are told") {
  CHECK(hint_of_match("path: { regex: '/(?<n>x)' }") == "write (?P<name>…) for (?<name>…)");
  CHECK(hint_of_match("path: { regex: '/(?<=n)x' }").starts_with("RE2 syntax"));
  CHECK(hint_of_match("methods: ['*']") == "leave methods out: the route takes any method");
  CHECK(hint_of_match("host: _") == "leave host out: the route takes any host");
  CHECK(hint_of_match("host: '*'") == "leave host out: the route takes any host");
  CHECK(hint_of_match("host: .example.com") == "write two names: [example.com, '*.example.com']");
  CHECK(hint_of_match("host: www.*") == R"(write { regex: 'www\..*' })");
  CHECK(hint_of_match("host: https://a.example") == "write the host alone, without https://");
  CHECK(hint_of_match("host: $host").contains("{host}"));
}

TEST_CASE("rewrite.prefix: what makes no path is told") {
  CHECK(problem_of_rewrite("prefix: new") == "'new' is not a path");
  CHECK(problem_of_rewrite("prefix: '/new?x=1'") == "'/new?x=1' has bytes that no path has");
  CHECK(problem_of_rewrite("prefix: '/a b'") == "'/a b' has bytes that no path has");
  CHECK(problem_of_rewrite("prefix: /new$uri").contains("a variable of another proxy"));
}

TEST_CASE("rewrite.to: what makes no path is told") {
  CHECK(problem_of_rewrite(R"(regex: '/v1/(.*)', to: 'v2/\1')") == R"('v2/\1' makes no path)");
  CHECK(problem_of_rewrite(R"(regex: '/v1/(.*)', to: '\1')") == R"('\1' makes no path)");
  CHECK(problem_of_rewrite(R"(regex: '/v1(/.*)', to: '\1')") == "");
  CHECK(problem_of_rewrite(R"(regex: '/v1(.*)', to: '\1')") == "");
  CHECK(problem_of_rewrite(R"(regex: '/v1/(.*)', to: '\0/x')") == "");
  CHECK(problem_of_rewrite(R"(regex: '/v1/(.*)', to: 'https://x.example/\1')").ends_with("is not a path"));
  CHECK(problem_of_rewrite(R"(regex: '/v1/(.*)', to: '/v2/$1')").contains("a variable of another proxy"));
  CHECK(problem_of_rewrite(R"(regex: '/v1/(.*)', to: '/v2/{1}')").contains("a variable of another proxy"));
  CHECK(problem_of_rewrite(R"(regex: '/v1/(.*)', to: '/v2/a b')").ends_with("has bytes that no path has"));
  CHECK(problem_of_rewrite(R"(regex: '/v1/(.*)', to: '/v2?x=\1')") == "");
  CHECK(problem_of_rewrite("host: $host").contains("has a variable, and nothing is replaced here"));
}

TEST_CASE("routes: one that is never reached is told beside another problem") {
  const Bench bench(
      "routes:\n"
      "  - { name: a, match: { path: /x }, upstream: api }\n"
      "  - { name: b, match: { path: /x/y }, upstream: api }\n"
      "  - { name: c, match: { path: nowhere }, upstream: api }\n"
      "  - { name: d, match: { path: /z }, max_body: 5 miles, upstream: api }\n"
      "  - { name: e, mach: { path: /w }, upstream: api }\n"
      "  - { name: f, match: { path: /v }, upstream: api }\n");
  std::vector<std::string> told;
  for (const auto& problem : bench.problems.all()) told.push_back(problem.message);
  CHECK(told == std::vector<std::string>{"'nowhere' is not a path", "'5 miles' is not a size", "unknown setting 'mach'",
                                         "route 'b' is never reached: 'a' matches all of it before"});
}
