#include "config/reader.h"

#include <doctest/doctest.h>

#include "unit/config/bench.h"

using namespace weir;
using namespace weir::config;
using namespace std::chrono_literals;

TEST_CASE("reader: a whole configuration is read") {
  const ReadProxy proxy(R"(
workers: 2
head_limit: 16KiB
upstreams:
  api:
    endpoints:
      - 127.0.0.1:9001
      - { address: 127.0.0.1:9002, weight: 2 }
    health_check: { path: /healthz }
routes:
  - name: api
    methods: GET
    filters:
      - request_id
      - rate_limit: { rate: 5/second }
    upstream: api
)");
  CHECK(proxy.text() == "");
  const auto& value = proxy.read.value;
  CHECK(value.workers == 2u);
  CHECK(value.head_limit == Bytes{16384});
  REQUIRE(value.upstreams.size() == 1);
  CHECK(value.upstreams[0].name == "api");
  CHECK(value.upstreams[0].at.line == 5);
  const auto& api = value.upstreams[0].value;
  REQUIRE(api.endpoints.size() == 2);
  CHECK(*api.endpoints[0].address == "127.0.0.1:9001");
  CHECK(api.endpoints[1].weight == 2);
  CHECK(api.health_check->interval == 2s);
  REQUIRE(value.routes.size() == 1);
  CHECK(value.routes[0].methods == std::vector<std::string>{"GET"});
  REQUIRE(value.routes[0].filters.size() == 2);
  CHECK(value.routes[0].filters[0].name == "request_id");
  CHECK(value.routes[0].filters[1].value->rate == Rate{5, 1s});
}

TEST_CASE("reader: a located value knows its place and path") {
  const ReadProxy proxy("routes:\n  - upstream: \"api\"\n");
  const auto& at = proxy.read.value.routes[0].upstream->at;
  CHECK(at.line == 2);
  CHECK(at.column == 15);
  CHECK(at.length == 5);
  CHECK(at.path == "routes[0].upstream");
}

TEST_CASE("reader: a missing setting is told at the name of its block") {
  const ReadProxy proxy("upstreams:\n  api:\n    endpoints: [a]\n    health_check: { interval: 1s }\n");
  CHECK(proxy.text() ==
        "weir.yaml:4:5: upstreams.api.health_check: 'path' is missing\n"
        "  4 |     health_check: { interval: 1s }\n"
        "    |     ^^^^^^^^^^^^\n"
        "    = path: path of the probe\n"
        "weir.yaml: 1 problem\n");
}

TEST_CASE("reader: a wrong value leaves the default, and the rest is read on") {
  const ReadProxy proxy("head_limit: big\nworkers: 3\n");
  CHECK(proxy.only().message == "'big' is not a size");
  CHECK(proxy.read.value.head_limit == Bytes{65536});
  CHECK(proxy.read.value.workers == 3u);
}

TEST_CASE("reader: a number outside its range is told with the range") {
  const ReadProxy proxy(
      "upstreams: { a: { endpoints: [ { address: x, weight: 0 }, { address: x, weight: 101 } ] } }\n");
  REQUIRE(proxy.read.problems.size() == 2);
  CHECK(proxy.read.problems.all()[0].message == "'0' is too small");
  CHECK(proxy.read.problems.all()[1].message == "'101' is too large");
  CHECK(proxy.only().hint == "at least 1, at most 100");
}

TEST_CASE("reader: integers are held to their type") {
  CHECK(ReadProxy("workers: 4294967296").only().message == "'4294967296' is not a whole number");
  CHECK(ReadProxy("workers: -1").only().message == "'-1' is not a whole number");
  CHECK(ReadProxy("workers: 1.5").only().message == "'1.5' is not a whole number");
}

TEST_CASE("reader: a duration below its least is told in durations") {
  const ReadProxy proxy("upstreams: { a: { endpoints: [x], health_check: { path: /, interval: 1ms } } }");
  CHECK(proxy.only().message == "'1ms' is too small");
  CHECK(proxy.only().hint == "at least 10ms");
}

TEST_CASE("reader: a word may stand for no value") {
  const ReadProxy proxy("workers: auto");
  CHECK(proxy.text() == "");
  CHECK_FALSE(proxy.read.value.workers);
}

TEST_CASE("reader: an unknown word of an enum suggests the nearest") {
  const ReadProxy proxy("routes: [ { respond: x, filters: [ rate_limit: { rate: 1/s, on_store_failure: alow } ] } ]");
  CHECK(proxy.only().message == "'alow' is not known here");
  CHECK(proxy.only().hint == "did you mean 'allow'? write one of: allow, deny");
}

TEST_CASE("reader: an unknown filter suggests the nearest") {
  const ReadProxy proxy("routes: [ { respond: x, filters: [ rate_limits ] } ]");
  CHECK(proxy.only().message == "unknown name 'rate_limits'");
  CHECK(proxy.only().hint == "did you mean 'rate_limit'? write one of: request_id, rate_limit");
  CHECK(proxy.only().at.path == "routes[0].filters[0]");
}

TEST_CASE("reader: a filter whose settings stand beside it is explained") {
  const ReadProxy proxy("routes:\n  - respond: x\n    filters:\n      - rate_limit:\n        rate: 1/s\n");
  CHECK(proxy.only().at.line == 5);
  CHECK(proxy.only().message == "a second name beside 'rate_limit'");
}

TEST_CASE("reader: a named filter without settings misses those that it needs") {
  const ReadProxy proxy("routes: [ { respond: x, filters: [ rate_limit ] } ]");
  CHECK(proxy.only().message == "'rate' is missing");
  CHECK(proxy.only().at.column == 36);
}

TEST_CASE("reader: a filter that was wrong is not made") {
  const ReadProxy proxy("routes: [ { respond: x, filters: [ rate_limit: { rate: 1 } ] } ]");
  CHECK(proxy.read.value.routes[0].filters[0].value == nullptr);
}

TEST_CASE("reader: exactly one of several settings must be written") {
  const ReadProxy none("routes: [ { name: a } ]");
  CHECK(none.only().message == "one of these is missing: upstream, respond");
  const ReadProxy both("routes: [ { upstream: a, respond: b } ]");
  CHECK(both.only().message == "'respond' and 'upstream' exclude each other");
  CHECK(both.only().at.column == 26);
}

TEST_CASE("reader: another kind of value than expected is told") {
  CHECK(ReadProxy("head_limit: [1]").only().message == "expected a size, found a list");
  CHECK(ReadProxy("head_limit:").only().message == "expected a size, found nothing");
  CHECK(ReadProxy("routes: x").only().message == "expected a list, found a single value");
  CHECK(ReadProxy("upstreams: [x]").only().message == "expected a block of names, found a list");
  CHECK(ReadProxy("routes: [x]").only().message == "expected a block of settings, found a single value");
  CHECK(ReadProxy("[x]").only().message == "expected a block of settings, found a list");
}

TEST_CASE("reader: an empty list is refused where one is needed") {
  CHECK(ReadProxy("upstreams: { a: { endpoints: [] } }").only().message == "is empty");
}

TEST_CASE("reader: an empty block is a block of defaults") {
  CHECK(ReadProxy("").text() == "");
  CHECK(ReadProxy("routes:\nupstreams:\n").text() == "");
}

TEST_CASE("reader: the environment is put into any scalar") {
  const ReadProxy proxy("workers: ${N}\nhead_limit: ${K:-8}KiB\npassword: a$$b-${P}-$c\n", {{"N", "4"}, {"P", "x"}});
  CHECK(proxy.text() == "");
  CHECK(proxy.read.value.workers == 4u);
  CHECK(proxy.read.value.head_limit == Bytes{8192});
  CHECK(proxy.read.value.password == "a$b-x-$c");
}

TEST_CASE("reader: an unset variable without default is told at its place") {
  const ReadProxy proxy("workers: 1\nhead_limit: ${LIMIT}\n");
  CHECK(proxy.only().message == "the environment has no LIMIT");
  CHECK(proxy.only().at.line == 2);
  CHECK(ReadProxy("password: ${X").only().message == "'${' without '}'");
}

TEST_CASE("reader: the effective configuration holds the defaults and masks secrets") {
  const ReadProxy proxy(
      "password: hunter2\nupstreams: { a: { endpoints: [x:1] } }\nroutes: [ { respond: 'on', filters: [ request_id, "
      "rate_limit: { rate: 1/s } ] } ]");
  CHECK(to_yaml(proxy.read.effective) == R"(workers: auto
head_limit: 64KiB
password: "***"
upstreams:
  a:
    endpoints:
      - address: "x:1"
        weight: 1
routes:
  - name: ""
    methods: []
    filters:
      - request_id
      - rate_limit:
          rate: 1/second
          burst: 10
          key: client.ip
          on_store_failure: allow
    respond: "on"
)");
}

TEST_CASE("reader: the effective configuration reads back as itself") {
  const ReadProxy once(
      "upstreams: { a: { endpoints: [x:1], health_check: { path: '/$$x' } } }\nroutes: [ { upstream: a, methods: [GET, "
      "'7'] } ]");
  const ReadProxy twice(to_yaml(once.read.effective));
  CHECK(twice.text() == "");
  CHECK(to_json(twice.read.effective) == to_json(once.read.effective));
}

TEST_CASE("reader: values of the environment are shown masked, and so are defaults made of them") {
  const ReadProxy proxy(
      "workers: ${W}\nupstreams: { a: { endpoints: ['${HOST}:${PORT:-8081}'] } }\nroutes: [{ name: '${NAME}', respond: "
      "ok, "
      "filters: [{ rate_limit: { rate: '${RATE}', on_store_failure: '${F}' } }] }]\n",
      {{"W", "37"}, {"HOST", "hidden.example"}, {"NAME", "hidden"}, {"RATE", "4711/s"}, {"F", "deny"}});
  REQUIRE_MESSAGE(proxy.text() == "", proxy.text());
  CHECK(proxy.read.value.workers == 37);
  CHECK(*proxy.read.value.upstreams[0].value.endpoints[0].address == "hidden.example:8081");
  const auto shown = to_json(proxy.read.effective);
  for (const auto* value : {"37", "hidden", "8081", "4711", "deny"}) CHECK_FALSE(shown.contains(value));
  CHECK(shown.contains("\"***:***\""));
}

TEST_CASE("reader: values of telling field names are shown masked, whatever their form") {
  Problems problems;
  const auto document =
      load_text("a",
                "fields:\n  Authorization: [Bearer hunter2]\n  x-api-key: [hunter2, hunter2]\n  x-user: [ann]\n"
                "  set-cookie: [sid=hunter2]\n",
                problems);
  Reader::Pass pass{&document, &problems, nullptr};
  Value shown;
  Reader reader(pass, document.root(), nullptr, &shown);
  std::vector<Named<std::vector<std::string>>> fields;
  reader.begin_block();
  reader.optional("fields", fields, "", field_values);
  CHECK(to_yaml(shown) ==
        "fields:\n  Authorization:\n    - \"***\"\n  x-api-key:\n    - \"***\"\n    - \"***\"\n  x-user:\n    - ann\n"
        "  set-cookie:\n    - \"***\"\n");
}

TEST_CASE("reader: a secret's value is not in the message") {
  Problems problems;
  const auto document = load_text("a", "pin: ${PIN}", problems, [](auto&) { return "hunter2"; });
  Reader::Pass pass{&document, &problems, nullptr};
  Reader reader(pass, document.root(), nullptr, nullptr);
  uint32_t pin = 0;
  reader.begin_block();
  reader.optional("pin", pin, "", secret);
  CHECK(problems.all().at(0).message == "the value is not a whole number");
}

namespace {

struct Timeouts {
  Duration connect = 1s, total = 2s;
};
void decode(Reader& r, Timeouts& out) {
  r.optional("connect", out.connect, "");
  r.optional("total", out.total, "");
  if (out.connect > out.total) r.problem_at("connect", "longer than the total");
}

struct Pool {
  std::map<std::string, double> shares;
  std::vector<std::pair<std::string, bool>> flags;
  Tagged<int> balance{"round_robin"};
  std::vector<Tagged<int>> extra;
};
void decode(Reader& r, Pool& out) {
  static const Tags<int> kBalancers{
      tag<RequestId, int>("round_robin", "in turn", [](auto, auto) { return 1; }),
      tag<std::string, int>("hash", "by key", [](const std::string& key, auto) { return int(key.size()); })};
  static const Tags<int> kExtra{tag<HealthCheck, int>("probe", "a probe", [](const HealthCheck&, auto) { return 9; })};
  r.optional("shares", out.shares, "");
  r.optional("flags", out.flags, "");
  r.tagged("balance", out.balance, kBalancers, "");
  r.extensions(out.extra, kExtra);
}

}  // namespace

TEST_CASE("reader: a check between settings points at one of them") {
  const Read<Timeouts> read("total: 1s\nconnect: 5s\n");
  CHECK(read.problems.all().at(0).at.line == 2);
  CHECK(read.problems.all().at(0).at.path == "connect");
}

TEST_CASE("reader: blocks by name keep their order or are sorted, as the type says") {
  const Read<Pool> read("shares: { b: 1, a: 0.5 }\nflags: { z: true, y: false }\n");
  CHECK(read.problems.text() == "");
  CHECK(read.value.shares == std::map<std::string, double>{{"a", 0.5}, {"b", 1}});
  CHECK(read.value.flags == std::vector<std::pair<std::string, bool>>{{"z", true}, {"y", false}});
}

TEST_CASE("reader: one kind among several is a word or a block") {
  CHECK(Read<Pool>("balance: round_robin").value.balance.value == 1);
  CHECK(Read<Pool>("balance: { hash: header.x-user }").value.balance.value == 13);
  CHECK(Read<Pool>("").value.balance.name == "round_robin");
  CHECK(Read<Pool>("balance: {}").problems.all().at(0).message == "expected a name, found a block");
}

TEST_CASE("reader: a block takes settings that other rooms bring") {
  const Read<Pool> read("probe: { path: / }");
  CHECK(read.problems.text() == "");
  REQUIRE(read.value.extra.size() == 1);
  CHECK(read.value.extra[0].name == "probe");
  CHECK(read.value.extra[0].value == 9);
}
