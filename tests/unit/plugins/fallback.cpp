#include "plugins/fallback/fallback.h"

#include "unit/plugins/failing_origin.h"
#include "unit/task_bench.h"

using namespace weir;
using namespace weir::plugins;

namespace {

const auto kRefused = FailingOrigin::failure(ErrorCode::connect_refused, RetrySafe::yes);
const auto kReset = FailingOrigin::failure(ErrorCode::connection_reset);

std::string problems(const std::string& fallback) {
  FilterBench bench("filters: [fallback: " + fallback + "]");
  return bench.problems.text();
}

}  // namespace

TEST_CASE("fallback: another upstream is asked, and its answer marked") {
  FailureBench bench("filters: [fallback: { to: [upstream: spare] }]", {kRefused, {200}});
  CHECK(bench.answer() == 200);
  CHECK(bench.failing->upstreams == std::vector<std::string>{"api", "spare"});
  CHECK(bench.response_field("x-weir-fallback") == "spare");
  CHECK(bench.exchange.record.has(Flag::FB));
  CHECK_FALSE(bench.exchange.failure.has_value());
  CHECK(bench.counted("fallbacks", {{"route", "test"}, {"step", "upstream:spare"}, {"cause", "connect_failure"}}) == 1);
}

TEST_CASE("fallback: what goes well isn't touched") {
  FailureBench bench("filters: [fallback: { to: [upstream: spare] }]", {{404}});
  CHECK(bench.answer() == 404);
  CHECK(bench.response_field("x-weir-fallback") == "(none)");
  CHECK_FALSE(bench.exchange.record.has(Flag::FB));
  CHECK(bench.counted("fallbacks") == 0);
}

TEST_CASE("fallback: a text with what the request had, under its own status and fields") {
  FailureBench bench(R"(
filters:
  - fallback:
      on: 5xx
      to:
        - respond:
            status: 200
            content_type: application/json
            headers: { Cache-Control: no-store }
            body: '{{"sorry for":"{path}"}}'
)",
                     {{500}});
  bench.exchange.request.path = "/cart";
  CHECK(bench.answer() == 200);
  CHECK(bench.body() == R"({"sorry for":"/cart"})");
  CHECK(bench.response_field("content-type") == "application/json");
  CHECK(bench.response_field("cache-control") == "no-store");
  CHECK(bench.response_field("x-weir-fallback") == "respond");
}

TEST_CASE("fallback: when another upstream fails, too, the next step is taken") {
  FailureBench bench(R"(
filters:
  - fallback: { on: [reset, 503], to: [{ upstream: spare }, { respond: { status: 200, body: sorry } }] }
)",
                     {kReset, {503}});
  CHECK(bench.answer() == 200);
  CHECK(bench.body() == "sorry");
  CHECK(bench.failing->attempts == 2);
  CHECK(bench.counted("fallbacks", {{"step", "upstream:spare"}, {"cause", "reset"}}) == 1);
  CHECK(bench.counted("fallbacks", {{"step", "respond"}, {"cause", "503"}}) == 1);
}

TEST_CASE("fallback: a step with conditions of its own is for those alone") {
  const auto answer = [](FailingOrigin::Answer answer) {
    FailureBench bench(R"(
filters:
  - fallback:
      on: [503, timeout]
      to:
        - respond: { status: 299, on: timeout }
        - problem
)",
                       {std::move(answer)});
    return bench.answer();
  };
  CHECK(answer(FailingOrigin::failure(ErrorCode::response_timeout)) == 299);
  CHECK(answer({503}) == 503);
}

TEST_CASE("fallback: a problem takes the place of the upstream's own page") {
  FailureBench bench("filters: [fallback: { on: 5xx, to: [problem] }]", {{502}});
  CHECK(bench.answer() == 502);
  CHECK(bench.response_field("content-type") == "application/problem+json");
  CHECK(bench.body() == R"({"type":"about:blank","title":"Bad Gateway","status":502})"
                        "\n");
}

TEST_CASE("fallback: an error of Weir's own has its page anyway") {
  FailureBench bench("filters: [fallback: { to: [problem] }]",
                     {{.error = {ErrorCode::circuit_open, Side::self, "", RetrySafe::yes}}});
  CHECK(bench.answer() == 503);
  CHECK(bench.exchange.failure->code == ErrorCode::circuit_open);
  CHECK(bench.response_field("x-weir-fallback") == "problem");
}

TEST_CASE("fallback: a POST goes to another upstream only when the first can't have seen it, or when that is allowed") {
  const auto asked = [](FailingOrigin::Answer answer, std::string more = "") {
    FailureBench bench("filters: [fallback: { to: [upstream: spare]" + more + " }]", {std::move(answer), {200}});
    bench.method("POST");
    bench.exchange.request_body = make_in<PiecesBody>(bench.arena, bench.arena, std::vector<std::string>{"pay"});
    bench.answer();
    CHECK(bench.failing->bodies.back() == "pay");
    return bench.failing->attempts;
  };
  CHECK(asked(kRefused) == 2);
  CHECK(asked(kReset) == 1);
  CHECK(asked({503}) == 1);
  CHECK(asked({503}, ", non_idempotent: true") == 2);
}

TEST_CASE("fallback: around a retry, one that was refused at last may still have been seen before") {
  FailureBench bench(
      "filters: [fallback: { to: [upstream: spare] }, retry: { on: [503, connect_failure], attempts: 2, "
      "non_idempotent: true }]",
      {{503}, kRefused, {200}});
  bench.method("POST");
  CHECK(bench.answer() == 502);
  CHECK(bench.failing->attempts == 2);
}

TEST_CASE("fallback: each step's retries are its own, and go to its upstream") {
  FailureBench bench(R"(
filters:
  - fallback: { on: 503, to: [upstream: spare] }
  - retry: { on: 503, attempts: 2 }
)",
                     {{503}, {503}, {503}, {200}});
  CHECK(bench.answer() == 200);
  CHECK(bench.failing->upstreams == std::vector<std::string>{"api", "api", "spare", "spare"});
}

TEST_CASE("fallback: what the client did wrong stays as it is") {
  FailureBench bench("filters: [fallback: { on: [413, 5xx], to: [problem] }]",
                     {{.error = {ErrorCode::body_too_large, Side::client}}});
  CHECK(bench.answer() == 413);
  CHECK(bench.response_field("x-weir-fallback") == "(none)");
}

TEST_CASE("fallback: no upstream is asked when the exchange's time is over") {
  FailureBench bench("filters: [fallback: { on: timeout, to: [{ upstream: spare }, { respond: { status: 200 } }] }]",
                     {{.status = 200, .after = std::chrono::seconds(10)}});
  bench.exchange.deadline = bench.loop.now() + std::chrono::seconds(1);
  CHECK(bench.answer() == 200);
  CHECK(bench.failing->attempts == 1);
  CHECK(bench.response_field("x-weir-fallback") == "respond");
}

TEST_CASE("fallback: nonsense is a problem at its place") {
  const auto unknown = problems("{ to: [upstream: spair] }");
  CHECK(unknown.find("no upstream is named 'spair'") != std::string::npos);
  CHECK(unknown.find("did you mean 'spare'?") != std::string::npos);
  CHECK(unknown.find("^^^^^") != std::string::npos);
  CHECK(problems("{}").find("has nothing to fall back on") != std::string::npos);
  CHECK(problems("{ to: [respond: { status: 100 }] }").find("status") != std::string::npos);
  CHECK(problems("{ to: [respond: { body: '{oops' }] }").find("never closed") != std::string::npos);
  CHECK(problems("{ to: [elsewhere] }").find("elsewhere") != std::string::npos);
  CHECK(problems("{ header: 'a b', to: [problem] }").find("'a b' is not a field name") != std::string::npos);
}

TEST_CASE("fallback: a POST that was answered goes to no other upstream when its second try is refused by a circuit") {
  FailureBench bench(R"(
filters:
  - fallback: { on: circuit_open, to: [upstream: spare] }
  - retry: { on: 5xx, idempotency_key: true }
  - circuit_breaker: { min_requests: 1 }
)",
                     {{503}});
  bench.method("POST");
  bench.exchange.request.headers.add("idempotency-key", "k1");
  CHECK(bench.answer() == 503);
  REQUIRE(bench.exchange.failure.has_value());
  CHECK(bench.exchange.failure->code == ErrorCode::circuit_open);
  CHECK(bench.counted("fallbacks") == 0);
}

TEST_CASE("fallback: what a concurrency_limit sheds is answered, too") {
  FailureBench bench(R"(
filters:
  - fallback: { on: shed, to: [respond: { status: 299 }] }
  - concurrency_limit: 1
)",
                     {{.status = 200, .after = std::chrono::seconds(10)}});
  bench.start();
  Arena arena(bench.blocks);
  Exchange shed(arena, bench.worker, nullptr);
  shed.request_body = make_in<NoBody>(arena, arena);
  auto task = bench.chain.run(shed);
  REQUIRE(task.start());
  task.take();
  CHECK(shed.response.head.status == 299);
}
