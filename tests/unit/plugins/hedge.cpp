#include "plugins/hedge/hedge.h"

#include "unit/plugins/failing_origin.h"
#include "unit/task_bench.h"

using namespace weir;
using namespace weir::plugins;
using namespace std::chrono_literals;

namespace {

using Answers = std::vector<FailingOrigin::Answer>;

struct Bench : FailureBench {
  explicit Bench(Answers answers, const std::string& hedge = "100ms")
      : FailureBench("filters: [hedge: " + hedge + "]", std::move(answers)) {}
  int64_t hedges(const std::string& outcome) const { return counted("hedges", {{"outcome", outcome}}); }
};

}  // namespace

TEST_CASE("hedge: a quick answer is taken as it is") {
  Bench bench({{.status = 200, .after = 90ms}});
  CHECK(bench.answer() == 200);
  CHECK(bench.failing->attempts == 1);
  CHECK(bench.counted("hedges") == 0);
}

TEST_CASE("hedge: when the first is slow a second is asked, and the quicker answer wins") {
  Bench bench({{.status = 200, .after = 10s}, {.status = 201, .fields = {{"x-who", "second"}}, .after = 50ms}});
  bench.exchange.request.headers.add("x-mine", "1");
  bench.start();
  bench.advance(90ms);
  CHECK(bench.failing->attempts == 1);
  bench.advance(20ms);
  CHECK(bench.failing->attempts == 2);
  CHECK(bench.failing->under_way == 2);
  bench.advance(60ms);
  REQUIRE(bench.task.is_done());
  CHECK(bench.failing->under_way == 1);
  CHECK(bench.exchange.response.head.status == 201);
  CHECK(bench.response_field("x-who") == "second");
  CHECK(bench.body() == "api");
  CHECK(bench.exchange.attempts.size() == 2);
  CHECK(bench.hedges("won") == 1);
}

TEST_CASE("hedge: the first may still win, and then the second is cancelled") {
  Bench bench({{.status = 200, .after = 150ms}, {.status = 201, .after = 10s}});
  CHECK(bench.answer() == 200);
  CHECK(bench.failing->attempts == 2);
  CHECK(bench.failing->under_way == 1);
  CHECK(bench.hedges("lost") == 1);
}

TEST_CASE("hedge: an error doesn't win while the other may answer") {
  Bench second_fails({{.status = 200, .after = 300ms}, {.status = 503, .after = 20ms}});
  CHECK(second_fails.answer() == 200);
  CHECK(second_fails.hedges("failed") == 1);
  Bench first_fails({{.status = 503, .after = 150ms}, {.status = 200, .after = 200ms}});
  CHECK(first_fails.answer() == 200);
  CHECK(first_fails.hedges("won") == 1);
  CHECK(first_fails.failing->under_way == 1);
}

TEST_CASE("hedge: when both fail it is the first's failure") {
  Bench bench({{.status = 502, .after = 150ms}, {.status = 503, .after = 150ms}});
  CHECK(bench.answer() == 502);
  CHECK(bench.hedges("failed") == 1);
}

TEST_CASE("hedge: a second that no endpoint takes leaves the first alone") {
  Bench bench({{.status = 200, .after = 300ms}, {.error = {ErrorCode::no_endpoint, Side::self}}});
  CHECK(bench.answer() == 200);
  CHECK(bench.hedges("failed") == 1);
}

TEST_CASE("hedge: only what is safe is asked twice") {
  Bench bench({{.status = 200, .after = 300ms}});
  bench.method("PUT");
  CHECK(bench.answer() == 200);
  CHECK(bench.failing->attempts == 1);
}

TEST_CASE("hedge: a safe request's body goes along") {
  Bench bench({{.status = 200, .after = 300ms}, {200}});
  bench.exchange.request_body = make_in<PiecesBody>(bench.arena, bench.arena, std::vector<std::string>{"one", "two"});
  CHECK(bench.answer() == 200);
  CHECK(bench.failing->bodies == std::vector<std::string>{"onetwo", "onetwo"});
}

TEST_CASE("hedge: a request whose body does not come takes no place in the budget, now or in the window") {
  Bench bench({{.status = 200, .after = 300ms}}, "{ after: 100ms, budget: { ratio: 0%, min: 1, window: 10m } }");
  Arena arena(bench.blocks);
  Exchange stalled(arena, bench.worker, nullptr);
  stalled.request_body = make_in<StalledBody>(arena, arena);
  auto task = bench.chain.run(stalled);
  task.start();
  bench.advance(110ms);
  REQUIRE_FALSE(task.is_done());
  CHECK(bench.hedges("body") == 1);
  CHECK(bench.answer() == 200);
  CHECK(bench.failing->attempts == 3);
  CHECK(bench.hedges("failed") + bench.hedges("won") + bench.hedges("lost") == 1);
  CHECK(bench.hedges("budget") == 0);
  task.reset();
}

TEST_CASE("hedge: a second attempt that is over holds no place while the first goes on") {
  Bench bench({{.status = 200, .after = 10s}, {503}, {.status = 200, .after = 300ms}},
              "{ after: 100ms, budget: { ratio: 0%, min: 10, concurrent: 1 } }");
  Arena arena(bench.blocks);
  Exchange slow(arena, bench.worker, nullptr);
  slow.request_body = make_in<NoBody>(arena, arena);
  auto task = bench.chain.run(slow);
  task.start();
  bench.advance(110ms);
  bench.advance(10ms);
  REQUIRE_FALSE(task.is_done());
  CHECK(bench.failing->attempts == 2);
  CHECK(bench.answer() == 200);
  CHECK(bench.failing->attempts == 4);
  CHECK(bench.hedges("budget") == 0);
  task.reset();
}

TEST_CASE("hedge: second attempts are a small share of the requests") {
  Bench bench({{.status = 200, .after = 150ms}}, "{ after: 100ms, budget: { ratio: 5%, min: 1, window: 10m } }");
  for (int i = 0; i < 200; ++i) {
    Arena arena(bench.blocks);
    Exchange exchange(arena, bench.worker, nullptr);
    exchange.request_body = make_in<NoBody>(arena, arena);
    auto task = bench.chain.run(exchange);
    task.start();
    while (!task.is_done()) bench.advance(50ms);
    CHECK(exchange.response.head.status == 200);
  }
  CHECK(bench.failing->attempts >= 208);
  CHECK(bench.failing->attempts <= 211);
  CHECK(bench.hedges("budget") > 180);
}

TEST_CASE("hedge: a client that leaves leaves nothing behind, wherever it waits") {
  for (const auto waited : {0ms, 50ms, 120ms, 200ms}) {
    Bench bench({{.status = 200, .after = 10s}});
    bench.start();
    for (Duration passed{}; passed < waited; passed += 10ms) bench.advance(10ms);
    bench.task.reset();
    bench.exchange.response.body.reset();
    CHECK(bench.failing->under_way == 0);
    bench.advance(20s);
    CHECK(bench.hedges("abandoned") == (waited > 100ms ? 1 : 0));
  }
}

TEST_CASE("hedge: a response that was taken over lives on, and goes when the client does") {
  Bench bench({{.status = 200, .after = 10s}, {200}});
  bench.answer();
  CHECK(bench.failing->under_way == 1);
  bench.exchange.response.body.reset();
  CHECK(bench.failing->under_way == 0);
}

TEST_CASE("hedge: without a delay of its own it waits as long as 95 of 100 requests take") {
  TailLatency latency;
  CHECK_FALSE(latency.p95().has_value());
  for (int i = 1; i <= 100; ++i) latency.observe(i * 1ms);
  REQUIRE(latency.p95().has_value());
  CHECK(*latency.p95() >= 94ms);
  CHECK(*latency.p95() <= 110ms);
  for (int i = 0; i < 2000; ++i) latency.observe(5ms);
  CHECK(*latency.p95() >= 5ms);
  CHECK(*latency.p95() <= 6ms);
}

TEST_CASE("hedge: what is slow for this route is learned from it") {
  Bench bench({{.status = 200, .after = 20ms}}, "{ budget: { ratio: 100% } }");
  for (int i = 0; i < 200; ++i) {
    Arena arena(bench.blocks);
    Exchange exchange(arena, bench.worker, nullptr);
    exchange.request_body = make_in<NoBody>(arena, arena);
    auto task = bench.chain.run(exchange);
    task.start();
    while (!task.is_done()) bench.advance(20ms);
  }
  const auto before = bench.failing->attempts;
  bench.failing->answers = {{.status = 200, .after = 10s}};
  bench.start();
  bench.advance(15ms);
  CHECK(bench.failing->attempts == before + 1);
  bench.advance(15ms);
  CHECK(bench.failing->attempts == before + 2);
}

TEST_CASE("hedge: the time in which clients send their bodies is not what is slow for a route") {
  Bench bench({{.status = 200, .after = 20ms, .body = 5s}}, "{ budget: { ratio: 100% } }");
  for (int i = 0; i < 100; ++i) {
    Arena arena(bench.blocks);
    Exchange exchange(arena, bench.worker, nullptr);
    exchange.request_body = make_in<NoBody>(arena, arena);
    auto task = bench.chain.run(exchange);
    task.start();
    bench.advance(5s);
    while (!task.is_done()) bench.advance(20ms);
  }
  const auto before = bench.failing->attempts;
  bench.failing->answers = {{.status = 200, .after = 10s}};
  bench.start();
  bench.advance(30ms);
  CHECK(bench.failing->attempts == before + 2);
}

TEST_CASE("hedge: nonsense is a problem at its place") {
  const auto problems = [](const std::string& hedge) {
    return FilterBench("filters: [hedge: " + hedge + "]").problems.text();
  };
  CHECK(problems("p95") == "");
  CHECK(problems("{ after: 50ms, budget: 10% }") == "");
  CHECK(problems("p99").find("'p99'") != std::string::npos);
  CHECK(problems("{ after: 0ms }").find("hedge.after") != std::string::npos);
}

TEST_CASE("hedge: tries of a retry behind it have their whole time in the second run, too, and leave none behind") {
  FailureBench bench(R"(
filters:
  - hedge: 100ms
  - retry: { attempts: 2, on: timeout, per_try_timeout: 300ms }
)",
                     {{.status = 200, .after = 10s}, {.status = 201, .after = 250ms}, {.status = 202, .after = 10s}});
  CHECK(bench.answer() == 201);
  CHECK(bench.counted("hedges", {{"outcome", "won"}}) == 1);
  CHECK(bench.exchange.answer_by == Time::max());
}
