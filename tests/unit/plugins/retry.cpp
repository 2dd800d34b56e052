#include "plugins/retry/retry.h"

#include "unit/plugins/failing_origin.h"
#include "unit/task_bench.h"

using namespace weir;
using namespace weir::plugins;
using namespace std::chrono_literals;

namespace {

using Answers = std::vector<FailingOrigin::Answer>;

const auto kRefused = FailingOrigin::failure(ErrorCode::connect_refused, RetrySafe::yes);
const auto kReset = FailingOrigin::failure(ErrorCode::connection_reset);

/// How many attempts a request makes of `method` against an origin that always answers so.
size_t attempts(const std::string& retry, FailingOrigin::Answer answer, std::string_view method = "GET") {
  FailureBench bench("filters: [retry: " + retry + "]", {std::move(answer)});
  bench.method(method);
  bench.answer();
  return bench.failing->attempts;
}

std::string problems(const std::string& retry) {
  FilterBench bench("filters: [retry: " + retry + "]");
  return bench.problems.text();
}

}  // namespace

TEST_CASE("retry: what fails is tried again until it doesn't") {
  FailureBench bench("filters: [retry: { attempts: 5, on: 503 }]", {{503}, {503}, {200}});
  CHECK(bench.answer() == 200);
  CHECK(bench.failing->attempts == 3);
  CHECK_FALSE(bench.exchange.record.has(Flag::URX));
  CHECK(bench.counted("retries", {{"outcome", "failure"}, {"route", "test"}, {"upstream", "api"}}) == 1);
  CHECK(bench.counted("retries", {{"outcome", "success"}}) == 1);
}

TEST_CASE("retry: after the last try its answer stands, marked in the log") {
  FailureBench bench("filters: [retry: { attempts: 3, on: 503 }]", {{503}});
  CHECK(bench.answer() == 503);
  CHECK(bench.failing->attempts == 3);
  CHECK(bench.exchange.record.has(Flag::URX));
  CHECK(bench.counted("retries_refused", {{"reason", "attempts"}}) == 1);
}

TEST_CASE("retry: what isn't asked for isn't tried again") {
  CHECK(attempts("{ on: 503 }", {200}) == 1);
  CHECK(attempts("{ on: 503 }", {502}) == 1);
  CHECK(attempts("{ on: 503 }", kReset) == 1);
  CHECK(attempts("{ on: reset }", {503}) == 1);
  CHECK(attempts("{ on: 503 }", {.error = {ErrorCode::no_endpoint, Side::self, "", RetrySafe::yes}}) == 1);
}

TEST_CASE("retry: a client's own failure isn't") {
  CHECK(attempts("{ on: [5xx, 413, 408] }", {.error = {ErrorCode::body_too_large, Side::client}}) == 1);
}

TEST_CASE("retry: a POST isn't sent twice, but where no endpoint can have looked at it") {
  CHECK(attempts("{ on: [503, reset, connect_failure] }", {503}, "POST") == 1);
  CHECK(attempts("{ on: [503, reset, connect_failure] }", kReset, "POST") == 1);
  CHECK(attempts("{ on: [503, reset, connect_failure] }", kRefused, "POST") == 3);
  CHECK(attempts("{ on: refused_stream }", FailingOrigin::failure(ErrorCode::connection_reset, RetrySafe::yes),
                 "POST") == 3);
  CHECK(attempts("{ on: 425 }", {425}, "POST") == 3);
  CHECK(attempts("{ on: 408 }", {.status = 408, .has_crossed = true}, "POST") == 3);
  CHECK(attempts("{ on: 408 }", {.status = 408}, "POST") == 1);
  CHECK(attempts("{ on: 503 }", {503}, "PUT") == 3);
}

TEST_CASE("retry: nor unless the configuration says that it may") {
  CHECK(attempts("{ on: 503, non_idempotent: true }", {503}, "POST") == 3);
  CHECK(attempts("{ on: 503, methods: [GET] }", {503}, "PUT") == 1);
  CHECK(attempts("{ on: 503, methods: [GET, POST], non_idempotent: true }", {503}, "POST") == 3);
  CHECK(attempts("{ on: 503, methods: [POST], non_idempotent: true }", {503}, "PATCH") == 1);
}

TEST_CASE("retry: an Idempotency-Key counts when the upstream is said to honour it") {
  for (const bool honoured : {false, true}) {
    FailureBench bench(
        std::string("filters: [retry: { on: 503, idempotency_key: ") + (honoured ? "true" : "false") + " }]", {{503}});
    bench.method("POST");
    bench.exchange.request.headers.add("Idempotency-Key", "abc");
    bench.answer();
    CHECK(bench.failing->attempts == (honoured ? 3 : 1));
  }
  CHECK(attempts("{ on: 503, idempotency_key: true }", {503}, "POST") == 1);
}

TEST_CASE("retry: each try is sent the whole body, and the request as it came") {
  FailureBench bench(R"(
filters:
  - retry: { attempts: 3, on: 503 }
  - headers: { request: { add: { X-Try: again } } }
)",
                     {{503}, {503}, {200}});
  bench.method("PUT");
  bench.exchange.request_body =
      make_in<PiecesBody>(bench.arena, bench.arena, std::vector<std::string>{"hello ", "there"});
  CHECK(bench.answer() == 200);
  CHECK(bench.failing->bodies == std::vector<std::string>(3, "hello there"));
  CHECK(bench.request_field("x-try") == "again");
}

TEST_CASE("retry: what a filter behind it changed is changed anew for each of three tries") {
  FailureBench bench(R"(
filters:
  - retry: { attempts: 3, on: 503 }
  - headers: { request: { add: { X-Try: again }, remove: [X-Client] } }
)",
                     {{503}, {503}, {200}});
  bench.exchange.request.headers.add("X-Client", "here");
  CHECK(bench.answer() == 200);
  CHECK(bench.failing->attempts == 3);
  CHECK(bench.exchange.request.headers.joined("x-try") == "again");
  CHECK_FALSE(bench.exchange.request.headers.get("x-client").has_value());
}

TEST_CASE("retry: a body larger than what is kept is sent once") {
  FailureBench bench("filters: [retry: { on: 503, body: 10B }]", {{503}});
  bench.method("PUT");
  bench.exchange.request_body =
      make_in<PiecesBody>(bench.arena, bench.arena, std::vector<std::string>{"hello ", "there"});
  CHECK(bench.answer() == 503);
  CHECK(bench.failing->attempts == 1);
  CHECK(bench.counted("retries_refused", {{"reason", "body"}}) == 1);
}

TEST_CASE("retry: a body larger than what is kept spends no budget") {
  FailureBench bench("filters: [retry: { on: 503, body: 10B, budget: { ratio: 0%, min: 1, window: 10m } }]", {{503}});
  bench.method("PUT");
  bench.exchange.request_body =
      make_in<PiecesBody>(bench.arena, bench.arena, std::vector<std::string>{"hello ", "there"});
  bench.answer();
  CHECK(bench.counted("retries_refused", {{"reason", "body"}}) == 1);
  bench.exchange.request_body = make_in<NoBody>(bench.arena, bench.arena);
  bench.answer();
  CHECK(bench.failing->attempts == 3);
}

TEST_CASE("retry: a try that waits for its client's body holds no place of the budget") {
  FailureBench bench("filters: [retry: { attempts: 2, on: 503, budget: { ratio: 0%, min: 100, concurrent: 1 } }]",
                     {{.status = 503, .is_early = true}});
  struct Upload {
    Upload(FailureBench& bench) : arena(bench.blocks), exchange(arena, bench.worker, nullptr) {
      exchange.request.method_name = "PUT";
      exchange.request.method = http::method_of("PUT");
      exchange.request_body = make_in<StalledBody>(arena, arena);
      task = bench.chain.run(exchange);
      task.start();
    }
    ~Upload() { task.reset(); }
    Arena arena;
    Exchange exchange;
    Task<> task;
  };
  std::vector<std::unique_ptr<Upload>> uploads;
  bench.failing->answers.push_back({.status = 200});
  uploads.push_back(std::make_unique<Upload>(bench));
  bench.advance(300ms);
  REQUIRE(bench.failing->attempts == 2);
  REQUIRE_FALSE(uploads.front()->task.is_done());
  bench.failing->attempts = 0;
  CHECK(bench.answer() == 200);
  CHECK(bench.failing->attempts == 2);
  CHECK(bench.counted("retries_refused", {{"reason", "budget"}}) == 0);
}

TEST_CASE("retry: it waits a random part of a span that grows, up to a bound") {
  Backoff backoff({.base = 25ms, .max = 250ms});
  const auto longest = [&](uint32_t number) {
    Duration most{};
    for (int i = 0; i < 2000; ++i) most = std::max(most, backoff.after(number));
    return most;
  };
  CHECK(longest(1) <= 25ms);
  CHECK(longest(1) > 23ms);
  CHECK(longest(2) <= 75ms);
  CHECK(longest(2) > 70ms);
  CHECK(longest(4) <= 250ms);
  CHECK(longest(4) > 235ms);
  CHECK(longest(1000) <= 250ms);
  const auto shortest = [&](uint32_t number) {
    Duration least = Duration::max();
    for (int i = 0; i < 2000; ++i) least = std::min(least, backoff.after(number));
    return least;
  };
  CHECK(shortest(1) < 2ms);
  CHECK(shortest(4) < 15ms);
  Backoff slow({.base = 1s, .max = 10s});
  Duration most{};
  for (int i = 0; i < 500; ++i) most = std::max(most, slow.after(2));
  CHECK(most > 2s);
}

TEST_CASE("retry: Retry-After takes the place of the back-off") {
  FailureBench bench("filters: [retry: { on: 503, retry_after_max: 5s }]",
                     {{.status = 503, .fields = {{"retry-after", "2"}}}, {200}});
  bench.start();
  bench.advance(1900ms);
  CHECK(bench.failing->attempts == 1);
  bench.advance(200ms);
  CHECK(bench.failing->attempts == 2);
  CHECK(bench.task.is_done());
}

TEST_CASE("retry: a Retry-After that is too long ends the matter") {
  CHECK(attempts("{ on: 503, retry_after_max: 1s }", {.status = 503, .fields = {{"retry-after", "2"}}}) == 1);
  CHECK(attempts("{ on: 503, retry_after_max: 1s }",
                 {.status = 503, .fields = {{"retry-after", "Sun, 06 Nov 1994 08:59:37 GMT"}}}) == 1);
  CHECK(attempts("{ on: 503, retry_after_max: 1s }",
                 {.status = 503, .fields = {{"retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"}}}) == 3);
}

TEST_CASE("retry: a Retry-After beyond all numbers and dates isn't taken for none") {
  for (const auto* value : {"99999999999999999999999", "18446744073709551615", "9223372036854775808",
                            "Fri, 31 Dec 9999 23:59:59 GMT", "Tue, 01 Jan 2400 00:00:00 GMT"}) {
    INFO(value);
    CHECK(attempts("{ on: 503 }", {.status = 503, .fields = {{"retry-after", value}}}) == 1);
  }
}

TEST_CASE("retry: 429 is tried again only when it says when") {
  CHECK(attempts("{ on: 429 }", {429}) == 1);
  CHECK(attempts("{ on: 429 }", {.status = 429, .fields = {{"retry-after", "1"}}}) == 3);
}

TEST_CASE("retry: the time of each try is bounded, and its end is a timeout like others") {
  FailureBench bench("filters: [retry: { on: timeout, per_try_timeout: 100ms }]",
                     {{.status = 200, .after = 10s}, {.status = 200, .after = 50ms}});
  CHECK(bench.answer() == 200);
  CHECK(bench.failing->attempts == 2);
  CHECK(bench.exchange.attempts[0].outcome == Outcome::timed_out);
  CHECK(bench.exchange.answer_by == Time::max());
}

TEST_CASE("retry: no try begins when the exchange's time would be over") {
  FailureBench bench("filters: [retry: { on: 503 }]", {{.status = 503, .fields = {{"retry-after", "1"}}}});
  bench.exchange.deadline = bench.loop.now() + 900ms;
  CHECK(bench.answer() == 503);
  CHECK(bench.failing->attempts == 1);
  CHECK(bench.counted("retries_refused", {{"reason", "deadline"}}) == 1);
}

TEST_CASE("retry: in an outage retries add a share of the load, and no more") {
  FailureBench bench("filters: [retry: { on: 503, attempts: 3, budget: { ratio: 20%, min: 10 } }]", {{503}});
  for (int i = 0; i < 500; ++i) {
    Arena arena(bench.blocks);
    Exchange exchange(arena, bench.worker, nullptr);
    exchange.request_body = make_in<NoBody>(arena, arena);
    auto task = bench.chain.run(exchange);
    task.start();
    while (!task.is_done()) bench.advance(1ms);
    CHECK(exchange.response.head.status == 503);
    CHECK((exchange.record.has(Flag::RBX) || exchange.record.has(Flag::URX)));
  }
  CHECK(bench.failing->attempts >= 500 + 80);
  CHECK(bench.failing->attempts <= 500 + 110 + 20);  // the clock may have entered another window
  CHECK(bench.counted("retries_refused", {{"reason", "budget"}}) > 300);
}

TEST_CASE("retry: while it waits, nothing of the failed try is held, and its retry counts as under way") {
  FailureBench bench("filters: [retry: { on: 503, retry_after_max: 5s }]",
                     {{.status = 503, .fields = {{"retry-after", "2"}}}});
  bench.start();
  bench.advance(1s);
  CHECK(bench.failing->under_way == 0);
  CHECK(bench.counted("retries_in_flight") == 1);
}

TEST_CASE("retry: a client that leaves leaves nothing behind, wherever it waits") {
  for (const auto waited : {0ms, 100ms, 1200ms, 2300ms}) {
    FailureBench bench("filters: [retry: { on: [503, timeout], retry_after_max: 5s }]",
                       {{.status = 503, .fields = {{"retry-after", "1"}}, .after = 200ms}});
    bench.start();
    for (Duration passed{}; passed < waited; passed += 100ms) bench.advance(100ms);
    bench.task.reset();
    bench.exchange.response.body.reset();
    CHECK(bench.failing->under_way == 0);
    CHECK(bench.counted("retries_in_flight") == 0);
    bench.advance(10s);
    CHECK(bench.counted("retries", {{"outcome", "abandoned"}}) == (waited > 200ms ? 1 : 0));
  }
}

TEST_CASE("retry: a tunnel passes") {
  FailureBench bench("filters: [retry: { on: 503 }]", {{503}});
  bench.exchange.request.protocol = "websocket";
  CHECK(bench.answer() == 503);
  CHECK(bench.failing->attempts == 1);
}

TEST_CASE("retry: nonsense is a problem at its place") {
  CHECK(problems("{ attempts: 1 }").find("retry.attempts") != std::string::npos);
  CHECK(problems("{ on: [timeouts] }").find("'timeouts' is not a condition") != std::string::npos);
  CHECK(problems("{ on: [] }").find("is empty") != std::string::npos);
  CHECK(problems("{ methods: [GET, POST] }").find("POST isn't safe to send twice") != std::string::npos);
  CHECK(problems("{ methods: [GET, POST], non_idempotent: true }") == "");
  CHECK(problems("{ backoff: { base: 1s, max: 100ms } }").find("is less than base") != std::string::npos);
  CHECK(problems("{ budget: { concurrent: 0 } }").find("concurrent") != std::string::npos);
  CHECK(problems("3") == "");
}
