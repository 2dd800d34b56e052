#include "plugins/circuit_breaker/circuit_breaker.h"

#include "async/event.h"
#include "unit/plugins/bench.h"

using namespace weir;
using namespace weir::plugins;
using namespace std::chrono_literals;

namespace {

/// A body that breaks off after its first bytes.
struct BrokenBody : Body {
  BrokenBody(Arena& arena, Error error) : Body(arena), error(error) {}
  Task<Result<Chunk>> read() override {
    if (std::exchange(has_begun, true)) co_return std::unexpected(error);
    co_return Chunk{Slice::literal("half")};
  }
  http::BodySize size() const override { return http::BodySize::known(10); }
  bool is_exact() const override { return true; }
  Error error;
  bool has_begun = false;
};

/// Fails as the test says.
struct Backend : Origin {
  Task<> handle(Exchange& exchange) const override {
    ++requests;
    if (attempt) exchange.attempts.add(*attempt);
    else if (broken && has_attempt)
      exchange.attempts.add({.answered = exchange.loop().now(), .outcome = Outcome::answered});
    if (failure) {
      exchange.fail(*failure);
    } else {
      exchange.respond(status);
      if (broken) exchange.response.body = make_in<BrokenBody>(exchange.arena(), exchange.arena(), *broken);
    }
    co_return;
  }
  std::optional<Error> broken;
  uint16_t status = 200;
  std::optional<Error> failure;
  std::optional<Attempt> attempt;
  bool has_attempt = true;
  mutable int requests = 0;
};

struct Bench : FilterBench {
  explicit Bench(std::string yaml = "filters: [{ circuit_breaker: { min_requests: 4, open: 5s } }]")
      : FilterBench(std::move(yaml)), page(circuit_breakers_page(slots)) {
    chain = Chain(chain.links(), backend);
  }
  uint16_t send() {
    const auto status = run();
    exchange.response.body.reset();
    return status;
  }
  /// Whether the whole answer has come.
  bool receive() {
    run();
    if (!exchange.response.body) return false;
    const bool is_whole = [&] {
      auto task = exchange.response.body->whole(100);
      REQUIRE(task.start());
      return task.take().has_value();
    }();
    exchange.response.body.reset();
    return is_whole;
  }
  void trip() {
    backend->status = 503;
    for (int i = 0; i < 4; ++i) send();
    backend->status = 200;
  }
  std::string list() { return page.list(clock); }
  std::string admin(std::string_view method, std::string_view path) {
    exchange.request.method = http::method_of(method);
    exchange.request.path = path;
    auto task = page.origin->handle(exchange);
    REQUIRE(task.start());
    task.take();
    exchange.request.path = "/";
    return body();
  }
  void advance(Duration by) {
    clock.advance(by);
    loop.poll();
  }
  std::shared_ptr<Backend> backend = std::make_shared<Backend>();
  AdminPage page;
};

std::string problem_of(const std::string& block) {
  const FilterBench bench("filters: [{ circuit_breaker: " + block + " }]");
  return bench.problems.empty() ? "" : bench.problems.all().front().message;
}

}  // namespace

TEST_CASE("circuit_breaker: a route whose requests fail is answered 503 without asking, with the time left") {
  Bench bench;
  bench.trip();
  CHECK(bench.send() == 503);
  CHECK(bench.backend->requests == 4);
  REQUIRE(bench.exchange.failure.has_value());
  CHECK(bench.exchange.failure->code == ErrorCode::circuit_open);
  const int left = std::stoi(bench.response_field("retry-after"));
  CHECK(left >= 5);
  CHECK(left <= 6);
}

TEST_CASE("circuit_breaker: when its time is over probes close it again") {
  Bench bench;
  bench.trip();
  bench.advance(6s);
  for (int i = 0; i < 4; ++i) CHECK(bench.send() == 200);
  CHECK(bench.list().find(R"("state": "closed")") != std::string::npos);
}

TEST_CASE("circuit_breaker: what the upstream did wrong counts, what the client did or Weir refused doesn't") {
  for (const auto side : {Side::client, Side::self, Side::upstream}) {
    Bench bench;
    bench.backend->failure = Error{ErrorCode::connection_reset, side, ""};
    for (int i = 0; i < 10; ++i) bench.send();
    CHECK(bench.backend->requests == (side == Side::upstream ? 4 : 10));
  }
}

TEST_CASE("circuit_breaker: a failure counts when an attempt had its time, not when the client's deadline ended it") {
  for (const auto outcome : {Outcome::abandoned, Outcome::timed_out}) {
    Bench bench;
    bench.backend->attempt = Attempt{.outcome = outcome};
    bench.backend->failure = Error{ErrorCode::total_timeout, Side::upstream, ""};
    for (int i = 0; i < 10; ++i) bench.send();
    CHECK(bench.backend->requests == (outcome == Outcome::timed_out ? 4 : 10));
  }
}

TEST_CASE(
    "circuit_breaker: of a wait for another request's response only one that lasts all of the route's time counts") {
  for (const auto whole : {5s, 0s}) {
    Bench bench;
    Route route;
    route.timeout = whole;
    bench.exchange.route = &route;
    bench.backend->failure = Error{ErrorCode::response_timeout, Side::upstream, ""};
    for (int i = 0; i < 10; ++i) bench.send();
    CHECK(bench.backend->requests == 10);
  }
}

TEST_CASE("circuit_breaker: a body that a client sends slowly makes no response a slow one") {
  for (const auto sent : {100ms, 4900ms}) {
    Bench bench("filters: [{ circuit_breaker: { min_requests: 4, open: 5s, slow: { after: 1s } } }]");
    const Time start = bench.loop.now();
    bench.backend->attempt =
        Attempt{.started = start, .connected = start, .sent = start + sent, .answered = start + 5s};
    bench.backend->attempt->outcome = Outcome::answered;
    for (int i = 0; i < 10; ++i) bench.send();
    CHECK(bench.backend->requests == (sent == 100ms ? 4 : 10));
  }
}

TEST_CASE("circuit_breaker: an answer that breaks off counts as a failure of the route's") {
  Bench bench;
  bench.backend->broken = Error{ErrorCode::incomplete_response, Side::upstream, ""};
  for (int i = 0; i < 4; ++i) CHECK_FALSE(bench.receive());
  // The head of the fourth came: that circuit opened while its body was on its way.
  CHECK(bench.list().find(R"("cause": "3 of 4 attempts failed in 10s")") != std::string::npos);
  CHECK(bench.send() == 503);
}

TEST_CASE("circuit_breaker: an answer whose client reads too slowly, or goes, breaks nothing") {
  Bench bench;
  for (const auto& error :
       {Error{ErrorCode::total_timeout, Side::upstream, ""}, Error{ErrorCode::client_gone, Side::client, ""}}) {
    bench.backend->broken = error;
    for (int i = 0; i < 4; ++i) CHECK_FALSE(bench.receive());
  }
  CHECK(bench.send() == 200);
  CHECK(bench.list().find(R"("failed": 0)") != std::string::npos);
}

TEST_CASE("circuit_breaker: the answer to another request that breaks off counts with that one") {
  Bench bench;
  bench.backend->broken = Error{ErrorCode::incomplete_response, Side::upstream, ""};
  bench.backend->has_attempt = false;
  for (int i = 0; i < 10; ++i) CHECK_FALSE(bench.receive());
  CHECK(bench.list().find(R"("failed": 0)") != std::string::npos);
}

TEST_CASE("circuit_breaker: a probe whose answer breaks off opens the route's again") {
  Bench bench;
  bench.trip();
  bench.advance(6s);
  bench.backend->broken = Error{ErrorCode::incomplete_response, Side::upstream, ""};
  CHECK_FALSE(bench.receive());
  CHECK(bench.list().find(R"("cause": "a probe's answer broke off")") != std::string::npos);
}

TEST_CASE("circuit_breaker: probes that meet a broken page close it") {
  Bench bench;
  bench.trip();
  bench.advance(6s);
  bench.backend->status = 500;
  for (int i = 0; i < 10; ++i) CHECK(bench.send() == 500);
  CHECK(bench.list().find(R"("state": "closed")") != std::string::npos);
}

TEST_CASE("circuit_breaker: a request given up while it is under way says nothing, and gives its place back") {
  Bench bench("filters: [{ circuit_breaker: { min_requests: 4, open: 5s, half_open_requests: 1 } }]");
  bench.trip();
  bench.advance(6s);
  struct Hanging : Origin {
    Task<> handle(Exchange& exchange) const override { co_await Signal(exchange.loop()).wait(); }
  };
  const Chain hanging(bench.chain.links(), std::make_shared<Hanging>());
  for (int i = 0; i < 10; ++i) {
    auto task = hanging.run(bench.exchange);
    CHECK_FALSE(task.start());
    CHECK(bench.send() == 503);
  }
  CHECK(bench.send() == 200);
}

TEST_CASE("circuit_breaker: the admin API shows and forces states") {
  Bench bench;
  CHECK(bench.list().find(R"("name": "route/test")") != std::string::npos);
  CHECK(bench.admin("POST", "/circuit_breakers/route/test/open").find(R"("forced": true)") != std::string::npos);
  CHECK(bench.send() == 503);
  bench.admin("POST", "/circuit_breakers/route/test/close");
  CHECK(bench.send() == 200);
  bench.admin("POST", "/circuit_breakers/route%2Fte%73t/auto");
  bench.trip();
  CHECK(bench.send() == 503);
  const auto shown = bench.list();
  CHECK(shown.find(R"("cause": "4 of 4 attempts failed in 10s")") != std::string::npos);
  CHECK(shown.find(R"("rejected": 2)") != std::string::npos);
  CHECK(shown.find(R"("since": "1994-11-06T)") != std::string::npos);
}

TEST_CASE("circuit_breaker: the admin API refuses other methods, names and verbs") {
  Bench bench;
  bench.admin("GET", "/circuit_breakers/route/test/open");
  CHECK(bench.response_field("allow") == "POST");
  bench.admin("POST", "/circuit_breakers");
  CHECK(bench.response_field("allow") == "GET, HEAD");
  for (const auto* path : {"/circuit_breakers/", "/circuit_breakers/open", "/circuit_breakers/nobody/open",
                           "/circuit_breakers/route/test/ajar", "/circuit_breakers/route/test"}) {
    CAPTURE(path);
    bench.admin("POST", path);
    CHECK(bench.exchange.failure->code == ErrorCode::no_route);
  }
  CHECK(bench.send() == 200);
}

TEST_CASE("circuit_breaker: one gate for an upstream, one for each endpoint, as its scope says") {
  const auto has = [](const std::string& scope, const std::string& endpoint) {
    config::Problems problems;
    const config::Tags<GateFactory> tags{circuit_breaker_gate()};
    config::Tables tables;
    tables.add(tags);
    const auto document = config::load_text("weir.yaml", "- circuit_breaker: { " + scope + " }\n", problems);
    const auto list = config::decode_document<std::vector<config::Tagged<GateFactory>>>(document, problems, tables);
    REQUIRE(problems.empty());
    StateSlots slots;
    FilterMetrics metrics;
    return list.at(0).value({slots, metrics}, "api", endpoint) != nullptr;
  };
  CHECK(has("", ""));
  CHECK(has("", "127.0.0.1:1"));
  CHECK(has("scope: upstream", ""));
  CHECK_FALSE(has("scope: upstream", "127.0.0.1:1"));
  CHECK_FALSE(has("scope: endpoint", ""));
  CHECK(has("scope: endpoint", "127.0.0.1:1"));
  CHECK(has("scope: [upstream, endpoint]", ""));
  CHECK(has("scope: [upstream, endpoint]", "127.0.0.1:1"));
}

TEST_CASE("circuit_breaker: endpoints that come and go leave a bounded number of metrics and slots behind") {
  config::Problems problems;
  const config::Tags<GateFactory> tags{circuit_breaker_gate()};
  config::Tables tables;
  tables.add(tags);
  const auto document = config::load_text("weir.yaml", "- circuit_breaker: { scope: endpoint }\n", problems);
  const auto list = config::decode_document<std::vector<config::Tagged<GateFactory>>>(document, problems, tables);
  StateSlots slots;
  FilterMetrics metrics;
  const auto gate = [&](int number) {
    return list.at(0).value({slots, metrics}, "api", "127.0.0.1:" + std::to_string(number));
  };
  int states = 0;
  int64_t closed = 0;
  const auto count = [&] {
    states = 0;
    closed = 0;
    metrics.for_each([&](const auto& name, auto, const auto&, const auto& labels, int64_t value, size_t) {
      if (name != "circuit_breaker_state") return;
      ++states;
      closed += value;
      CHECK(labels.size() == 3);
    });
  };
  const auto first = gate(1);
  auto now = first;
  for (int i = 2; i < 2000; ++i) now = gate(i);
  count();
  CHECK(states == 3 * 2);
  CHECK(closed == 2);
  std::vector<std::shared_ptr<Gate>> many;
  for (int i = 2000; i < 2300; ++i) many.push_back(gate(i));
  count();
  CHECK(states == 3 * 200);
  CHECK(closed == 200);
  CHECK(slots.size() < 1000);
  many.clear();
  count();
  CHECK(states == 3 * 2);
}

TEST_CASE("circuit_breaker: its state is found again after a reload, also with other thresholds") {
  StateSlots slots;
  FilterMetrics metrics;
  config::Problems problems;
  const auto build = [&](const std::string& block) {
    const config::Tags<FilterFactory> tags{circuit_breaker_filter()};
    config::Tables tables;
    tables.add(tags);
    const auto document = config::load_text("weir.yaml", "- circuit_breaker: " + block + "\n", problems);
    const auto list = config::decode_document<std::vector<config::Tagged<FilterFactory>>>(document, problems, tables);
    FilterContext context{problems, slots, metrics, "test"};
    return list.at(0).value(context);
  };
  const auto breakers = slots.find<BreakerList>("circuit_breakers", {});
  const auto before = build("{ failure_ratio: 50% }");
  const auto* breaker = &breakers->find("route/test")->breaker();
  const auto after = build("{ failure_ratio: 80%, open: 1s }");
  CHECK(&breakers->find("route/test")->breaker() == breaker);
  const auto another = build("{ window: 20s, shared: true }");
  CHECK(&breakers->find("route/test")->breaker() == breaker);
  CHECK(breakers->all().size() == 1);
}

TEST_CASE("circuit_breaker: nonsense is a problem of the configuration") {
  CHECK(problem_of("{}") == "");
  CHECK(problem_of("{ failure_ratio: 0% }") != "");
  CHECK(problem_of("{ failure_ratio: 150% }") != "");
  CHECK(problem_of("{ min_requests: 0 }") != "");
  CHECK(problem_of("{ window: 0s }") != "");
  CHECK(problem_of("{ open: 10m }") == "'10m' is longer than max_open, 5m");
  CHECK(problem_of("{ half_open_requests: 0 }") != "");
  CHECK(problem_of("{ half_open_successes: 1000 }") != "");
  CHECK(problem_of("{ slow: { ratio: 10% } }") != "");
  CHECK(problem_of("{ statuses: [200] }") != "");
  CHECK(problem_of("{ scope: upstream }") != "");
}
