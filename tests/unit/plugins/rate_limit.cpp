#include "unit/plugins/limit_bench.h"

using namespace weir;
using namespace weir::plugins;
using namespace std::chrono_literals;

namespace {

const std::string kAlice = "10.0.0.1";
const std::string kBob = "10.0.0.2";

struct Bench : LimitBench {
  explicit Bench(const std::string& settings) : LimitBench("filters: [rate_limit: " + settings + "]") {
    INFO(problems.text());
    REQUIRE(problems.empty());
  }
  int64_t decided(const std::string& decision) const { return count("rate_limit_decisions", "decision", decision); }
};

}  // namespace

TEST_CASE("rate_limit: a client past its burst waits for the next token") {
  Bench bench("{ rate: 1/second, burst: 2 }");
  CHECK(bench.get(kAlice).status == 200);
  CHECK(bench.get(kAlice).status == 200);
  const auto refused = bench.get(kAlice);
  CHECK(refused.status == 429);
  CHECK(refused["retry-after"] == "1");
  CHECK(refused.has(Flag::RL));
  bench.clock.advance(1s);
  CHECK(bench.get(kAlice).status == 200);
}

TEST_CASE("rate_limit: without a burst, the rate's count may come at once") {
  Bench bench("100/minute");
  CHECK(bench.passed(150) == 100);
  bench.clock.advance(600ms);
  CHECK(bench.passed(5) == 1);
}

TEST_CASE("rate_limit: the share of a large fleet in a slow limit is small, not without bounds") {
  Bench bench("{ rate: 0.0027/day, on_store_failure: local }");  // one a year
  bench.shared.is_gone = true;
  bench.shared.sharers = 300;
  CHECK(bench.passed(10) == 1);
  bench.clock.advance(std::chrono::days(365));
  CHECK(bench.passed(10) == 0);
}

TEST_CASE("rate_limit: a key that the shared store has no room for is counted here, out of this process' part") {
  for (const std::string algorithm : {"gcra", "sliding_window", "fixed_window", "sliding_log"}) {
    for (const std::string choice : {"allow", "deny"}) {
      Bench bench("{ rate: 12/hour, algorithm: " + algorithm + ", on_store_failure: " + choice + " }");
      bench.shared.says = store::Quota{.is_new = true, .is_left_out = true, .most = 12, .remaining = 11};
      bench.shared.sharers = 3;
      CHECK(bench.passed(20) == 4);
      CHECK(bench.passed(20, kBob) == 4);
      CHECK(bench.count("rate_limit_local_keys", "limiter", "*") == 40);
      bench.clock.advance(1h);
      CHECK(bench.passed(20) >= 3);
    }
  }
}

TEST_CASE("rate_limit: of what no fleet can divide each process passes one at a time") {
  Bench bench("3/hour");
  bench.shared.says = store::Quota{.is_new = true, .is_left_out = true, .most = 3, .remaining = 2};
  bench.shared.sharers = 30;
  CHECK(bench.passed(20) == 1);
  bench.clock.advance(9h);
  CHECK(bench.passed(20) == 0);
  bench.clock.advance(1h);
  CHECK(bench.passed(20) == 1);
}

TEST_CASE("rate_limit: each client has a quota of its own") {
  Bench bench("1/minute");
  CHECK(bench.get(kAlice).status == 200);
  CHECK(bench.get(kBob).status == 200);
  CHECK(bench.get(kAlice).status == 429);
}

TEST_CASE("rate_limit: IPv6 clients of one /64 share a quota") {
  Bench bench("1/minute");
  CHECK(bench.get("2001:db8:0:1::1").status == 200);
  CHECK(bench.get("2001:db8:0:1:ffff::2").status == 429);
  CHECK(bench.get("2001:db8:0:2::1").status == 200);
}

TEST_CASE("rate_limit: a request without the key counts by its client") {
  Bench bench("{ rate: 1/minute, key: header.x-user }");
  CHECK(bench.get(kAlice).status == 200);
  CHECK(bench.get(kAlice).status == 429);
  CHECK(bench.get(kBob).status == 200);
  CHECK(bench.get(kAlice, {{"x-user", "ann"}}).status == 200);
  CHECK(bench.get(kBob, {{"x-user", "ann"}}).status == 429);
}

TEST_CASE("rate_limit: what is left is told on success and on refusal alike") {
  Bench bench("{ rate: 100/minute, burst: 20 }");
  const auto passed = bench.get(kAlice);
  CHECK(passed["ratelimit-policy"] == "\"default\";q=20;w=12");
  CHECK(passed["ratelimit"] == "\"default\";r=19;t=1");
  bench.passed(19);
  const auto refused = bench.get(kAlice);
  CHECK(refused["ratelimit-policy"] == "\"default\";q=20;w=12");
  CHECK(refused["ratelimit"] == "\"default\";r=0;t=1");
  CHECK(refused["retry-after"] == "1");
}

TEST_CASE("rate_limit: Retry-After is rounded up, and never earlier than t") {
  Bench bench("{ rate: 7/minute, burst: 1 }");
  bench.get(kAlice);
  const auto refused = bench.get(kAlice);
  CHECK(refused["retry-after"] == "9");
  CHECK(refused["ratelimit"] == "\"default\";r=0;t=9");
}

TEST_CASE("rate_limit: a refusal names its kind and the policies that it breaks") {
  Bench bench("{ limits: [ { name: minute, rate: 1/minute }, { name: day, rate: 5/day } ] }");
  bench.get(kAlice);
  const auto refused = bench.get(kAlice);
  CHECK(refused["content-type"] == "application/problem+json");
  CHECK(refused.body ==
        R"({"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Too many requests",)"
        R"x("status":429,"detail":"used up: minute (rate_limit *)","violated-policies":["minute"]})x"
        "\n");
}

TEST_CASE("rate_limit: several limits are told in one list, and a refusal gives the time of those alone that refuse") {
  Bench bench("{ limits: [ { name: minute, rate: 2/minute }, { name: day, rate: 5/day } ] }");
  const auto passed = bench.get(kAlice);
  CHECK(passed["ratelimit-policy"] == "\"minute\";q=2;w=60, \"day\";q=5;w=86400");
  CHECK(passed["ratelimit"] == "\"minute\";r=1;t=30, \"day\";r=4;t=17280");
  bench.get(kAlice);
  const auto refused = bench.get(kAlice);
  CHECK(refused["ratelimit"] == "\"minute\";r=0;t=30, \"day\";r=3");
  CHECK(refused["retry-after"] == "30");
}

TEST_CASE("rate_limit: a refused request takes from no limit") {
  Bench bench("{ limits: [ { name: wide, rate: 5/day }, { name: narrow, rate: 1/minute } ] }");
  CHECK(bench.passed(10) == 1);
  bench.clock.advance(1min);
  CHECK(bench.get(kAlice)["ratelimit"].starts_with("\"wide\";r=3"));
}

TEST_CASE("rate_limit: limits in one filter may count by other keys") {
  Bench bench("{ limits: [ { name: each, rate: 2/minute }, { name: all, rate: 3/minute, key: host } ] }");
  CHECK(bench.passed(3, kAlice) == 2);
  CHECK(bench.passed(3, kBob) == 2);  // no host: counted by client
}

TEST_CASE("rate_limit: an upstream's own fields stay beside ours") {
  Bench bench("{ rate: 10/minute, headers: both }");
  bench.origin->fields = {{"ratelimit", "\"backend\";r=1"},
                          {"ratelimit-policy", "\"backend\";q=5;w=1"},
                          {"x-ratelimit-remaining", "1"},
                          {"x-ratelimit-limit", "5"}};
  const auto answer = bench.get(kAlice);
  CHECK(answer["ratelimit"] == "\"backend\";r=1, \"default\";r=9;t=6");
  CHECK(answer["ratelimit-policy"] == "\"backend\";q=5;w=1, \"default\";q=10;w=60");
  CHECK(answer["x-ratelimit-remaining"] == "1");
  CHECK(answer["x-ratelimit-limit"] == "5");
}

TEST_CASE("rate_limit: the older fields, of which there can be one, tell of whoever has less left") {
  Bench bench("{ rate: 3/minute, headers: legacy }");
  bench.origin->fields = {{"x-ratelimit-remaining", "1000"}, {"x-ratelimit-limit", "5000"}};
  const auto answer = bench.get(kAlice);
  CHECK(answer["x-ratelimit-remaining"] == "2");
  CHECK(answer["x-ratelimit-limit"] == "3");
  CHECK(answer["x-ratelimit-reset"] == "20");
  CHECK(answer["ratelimit"] == "(none)");
}

TEST_CASE("rate_limit: without fields a refusal still says when to come back") {
  Bench bench("{ rate: 1/minute, headers: none }");
  CHECK(bench.get(kAlice)["ratelimit"] == "(none)");
  const auto refused = bench.get(kAlice);
  CHECK(refused["retry-after"] == "60");
  CHECK(refused["ratelimit"] == "(none)");
}

TEST_CASE("rate_limit: a cost may come from the request, and at least one is taken") {
  Bench bench("{ rate: 10/minute, cost: header.x-cost }");
  CHECK(bench.get(kAlice, {{"x-cost", "7"}})["ratelimit"].starts_with("\"default\";r=3"));
  CHECK(bench.get(kAlice, {{"x-cost", "0"}})["ratelimit"].starts_with("\"default\";r=2"));
  CHECK(bench.get(kAlice, {{"x-cost", "-9"}})["ratelimit"].starts_with("\"default\";r=1"));
}

TEST_CASE("rate_limit: what could never pass is refused for good") {
  Bench bench("{ rate: 10/minute, cost: header.x-cost }");
  const auto refused = bench.get(kAlice, {{"x-cost", "11"}});
  CHECK(refused.status == 403);
  CHECK(refused["retry-after"] == "(none)");
  CHECK(refused["ratelimit"] == "\"default\";r=10");
  CHECK(bench.get(kAlice, {{"x-cost", "18446744073709551615"}}).status == 403);
  CHECK(bench.get(kAlice, {{"x-cost", "18446744073709551616"}}).status == 403);
  CHECK(bench.get(kAlice, {{"x-cost", "99999999999999999999999999"}}).status == 403);
  CHECK(bench.decided("beyond") == 4);
}

TEST_CASE("rate_limit: a calendar window ends for different clients at different times") {
  Bench bench("{ rate: 1/day, algorithm: fixed_window }");  // it is 08:49:37
  bench.get(kAlice);
  bench.get(kBob);
  const auto alice = std::stoi(bench.get(kAlice)["retry-after"]);
  const auto bob = std::stoi(bench.get(kBob)["retry-after"]);
  CHECK(alice != bob);
  for (const int wait : {alice, bob}) {
    CHECK(wait >= 54623);
    CHECK(wait < 54623 + 60);
  }
  CHECK(bench.get(kAlice)["ratelimit"] == "\"default\";r=0;t=" + std::to_string(alice));
}

TEST_CASE("rate_limit: a sliding window gives back as requests leave its sight") {
  Bench bench("{ rate: 10/minute, algorithm: sliding_window }");
  CHECK(bench.passed(12) == 10);
  bench.clock.advance(30s);
  CHECK(bench.passed(12) < 10);
  bench.clock.advance(2min);
  CHECK(bench.passed(12) == 10);
}

TEST_CASE("rate_limit: a shadow counts and lets pass") {
  Bench bench("{ rate: 1/minute, mode: shadow }");
  CHECK(bench.passed(3) == 3);
  const auto marked = bench.get(kAlice);
  CHECK(marked.has(Flag::RL));
  CHECK(marked["ratelimit"] == "(none)");
  CHECK(bench.decided("allowed") == 1);
  CHECK(bench.decided("would_refuse") == 3);
  CHECK(bench.decided("refused") == 0);
}

TEST_CASE("rate_limit: those who are exempt pass uncounted") {
  Bench bench(
      "{ rate: 1/minute, key: header.x-user, exempt: { clients: [10.9.0.0/16, 'fd00::/8'], keys: root, "
      "when: { header.x-plan: [gold, silver] } } }");
  CHECK(bench.passed(3, "10.9.1.2") == 3);
  CHECK(bench.passed(3, "fd00::7") == 3);
  CHECK(bench.passed(3, "10.8.1.2") == 1);
  for (int i = 0; i < 3; ++i) {
    CHECK(bench.get(kAlice, {{"x-user", "root"}}).status == 200);
    CHECK(bench.get(kAlice, {{"x-plan", "gold"}}).status == 200);
  }
  CHECK(bench.decided("exempt") == 12);
}

TEST_CASE(
    "rate_limit: a throttle delays what comes too early, each by its turn, and refuses what would wait too long") {
  Bench bench("{ rate: 10/second, burst: 1, mode: throttle, max_delay: 250ms }");
  CHECK(bench.get(kAlice).status == 200);
  const auto second = bench.begin(kAlice);
  const auto third = bench.begin(kAlice);
  CHECK_FALSE(second->is_done());
  const auto refused = bench.get(kAlice);
  CHECK(refused.status == 429);
  CHECK(refused["retry-after"] == "1");
  CHECK(bench.count("rate_limit_delayed_requests", "limiter", "*") == 2);
  bench.advance(110ms);
  CHECK(second->is_done());
  CHECK_FALSE(third->is_done());
  bench.advance(100ms);
  CHECK(third->answer().has(Flag::RL));
  CHECK(second->answer()["ratelimit"] == "\"default\";r=0;t=1");
  CHECK(bench.count("rate_limit_delayed_requests", "limiter", "*") == 0);
}

TEST_CASE("rate_limit: a throttle lets few wait, and a client that goes waits no more") {
  Bench bench("{ rate: 1/second, burst: 1, mode: throttle, max_delay: 10s, max_waiting: 1 }");
  CHECK(bench.get(kAlice).status == 200);
  auto waiting = bench.begin(kAlice);
  CHECK(bench.get(kAlice).status == 429);
  waiting.reset();
  CHECK(bench.count("rate_limit_delayed_requests", "limiter", "*") == 0);
  CHECK_FALSE(bench.begin(kAlice)->is_done());
}

TEST_CASE("rate_limit: one key fills no more than half of a throttle's waiting room, and others still wait in it") {
  Bench bench("{ rate: 1/second, burst: 1, mode: throttle, max_delay: 1h, max_waiting: 10 }");
  std::vector<std::unique_ptr<LimitBench::Request>> waiting;
  for (int i = 0; i < 20; ++i) waiting.push_back(bench.begin(kAlice));
  CHECK(bench.count("rate_limit_delayed_requests", "limiter", "*") == 5);
  CHECK(bench.get(kAlice).status == 429);
  CHECK(bench.get("10.0.0.2").status == 200);
  const auto other = bench.begin("10.0.0.2");
  REQUIRE_FALSE(other->is_done());
  bench.advance(1100ms);
  CHECK(other->answer().status == 200);
}

TEST_CASE("rate_limit: a client that invents keys fills no more than half of a throttle's waiting room") {
  Bench bench("{ rate: 1/second, burst: 1, mode: throttle, max_delay: 1h, max_waiting: 10, key: header.x-user }");
  std::vector<std::unique_ptr<LimitBench::Request>> waiting;
  for (int i = 0; i < 40; ++i) waiting.push_back(bench.begin(kAlice, {{"x-user", std::to_string(i / 2)}}));
  CHECK(bench.count("rate_limit_delayed_requests", "limiter", "*") == 5);
  CHECK(bench.get("10.0.0.2", {{"x-user", "ann"}}).status == 200);
  CHECK_FALSE(bench.begin("10.0.0.2", {{"x-user", "ann"}})->is_done());
}

TEST_CASE("rate_limit: of several limits that share a waiting room, the one that delays is charged with the place") {
  Bench bench(R"({ mode: throttle, max_delay: 1h, max_waiting: 8, limits: [
    { name: client, rate: 1/second, burst: 1 }, { name: path, key: path, rate: 1000/second } ] })");
  std::vector<std::unique_ptr<LimitBench::Request>> waiting;
  for (int i = 0; i < 20; ++i) waiting.push_back(bench.begin(kAlice));
  CHECK(bench.count("rate_limit_delayed_requests", "limiter", "*") == 4);
  CHECK(bench.get("10.0.0.2").status == 200);
  CHECK_FALSE(bench.begin("10.0.0.2")->is_done());
}

TEST_CASE("rate_limit: a throttle delays no longer than max_delay, whatever the store says") {
  Bench bench("{ rate: 10/second, burst: 1, mode: throttle, max_delay: 250ms }");
  bench.shared.says = store::Quota{.most = 3, .remaining = 0, .reset_after = store::kCentury};
  const auto delayed = bench.begin(kAlice);
  CHECK_FALSE(delayed->is_done());
  bench.advance(300ms);
  CHECK(delayed->answer().status == 200);
}

TEST_CASE("rate_limit: times that are told are never below zero, whatever the store says") {
  Bench bench("{ rate: 10/minute, burst: 10, headers: both }");
  bench.shared.says = store::Quota{.most = 10, .remaining = 0};  // spent, and whole again at once
  const auto passed = bench.get(kAlice);
  CHECK(passed["ratelimit"] == "\"default\";r=0;t=0");
  CHECK(passed["x-ratelimit-reset"] == "0");
}

TEST_CASE("rate_limit: however many keys have leases, no key loses the tokens of its own") {
  Bench bench("{ rate: 100/hour, lease: 10, key: header.x-user }");
  const auto ask = [&](const std::string& user) { return bench.get(kAlice, {{"x-user", user}}).status; };
  CHECK(ask("ann") == 200);
  for (int i = 0; i < 30'000; ++i) REQUIRE(ask("user-" + std::to_string(i)) == 200);
  int passed = 1;
  while (passed < 200 && ask("ann") == 200) ++passed;
  CHECK(passed == 100);
}

TEST_CASE("rate_limit: with leases the store is asked once for many") {
  Bench bench("{ rate: 100/minute, lease: 10 }");
  CHECK(bench.get(kAlice)["ratelimit"].starts_with("\"default\";r=99"));
  CHECK(bench.passed(9) == 9);
  CHECK(bench.shared.takes == 1);
  CHECK(bench.get(kAlice)["ratelimit"].starts_with("\"default\";r=89"));
  CHECK(bench.shared.takes == 2);
  CHECK(bench.passed(200) == 89);
}

TEST_CASE("rate_limit: the last tokens are given one by one") {
  Bench bench("{ rate: 15/minute, lease: 10 }");
  CHECK(bench.passed(30) == 15);
}

TEST_CASE("rate_limit: while the store is gone, allow lets pass and marks it") {
  Bench bench("{ rate: 1/minute, on_store_failure: allow }");
  bench.shared.is_gone = true;
  CHECK(bench.passed(5) == 5);
  CHECK(bench.get(kAlice).has(Flag::SD));
  CHECK(bench.decided("store_failed") == 6);
}

TEST_CASE("rate_limit: while the store is gone, deny answers 503 and when to come back") {
  Bench bench("{ rate: 1/minute, on_store_failure: deny }");
  bench.shared.is_gone = true;
  const auto refused = bench.get(kAlice);
  CHECK(refused.status == 503);
  CHECK(refused["retry-after"] == "1");
  CHECK(refused["content-type"] == "application/problem+json");
  CHECK(refused.body.contains("#temporary-reduced-capacity"));
  CHECK(bench.decided("store_denied") == 1);
  bench.shared.is_gone = false;
  CHECK(bench.get(kAlice).status == 200);
}

TEST_CASE("rate_limit: while the store is gone, local gives this process' share of the rate, and no burst") {
  Bench bench("{ rate: 60/minute, on_store_failure: local }");
  bench.shared.is_gone = true;
  bench.shared.sharers = 4;
  CHECK(bench.passed(10) == 1);
  int passed = 0;
  for (int i = 0; i < 400; ++i) {
    bench.clock.advance(100ms);
    passed += bench.passed(1);
  }
  CHECK(passed == 10);  // 40 s, a quarter of one a second
  CHECK(bench.get(kAlice)["retry-after"] == "4");
  CHECK(bench.decided("local_allowed") == 11);
}

TEST_CASE("rate_limit: processes that count locally pass the rate together, and one each at first") {
  constexpr int kProcesses = 5;
  std::vector<std::unique_ptr<Bench>> processes;
  for (int i = 0; i < kProcesses; ++i) {
    processes.push_back(std::make_unique<Bench>("{ rate: 10/second, burst: 10, on_store_failure: local }"));
    processes.back()->shared.is_gone = true;
    processes.back()->shared.sharers = kProcesses;
  }
  int passed = 0;
  for (int step = 0; step <= 300; ++step) {  // 3 s in all
    for (const auto& process : processes) {
      passed += process->passed(2);
      process->clock.advance(10ms);
    }
  }
  CHECK(passed <= 10 * 3 + kProcesses);
  CHECK(passed >= 10 * 3);
}

TEST_CASE("rate_limit: local shares hold for several limits and for costs") {
  Bench bench(
      "{ cost: 3, on_store_failure: local, limits: [ { name: a, rate: 60/minute }, { name: b, rate: 6/minute } ] }");
  bench.shared.is_gone = true;
  CHECK(bench.passed(5) == 1);
  bench.clock.advance(29s);
  CHECK(bench.passed(5) == 0);
  bench.clock.advance(1s);
  CHECK(bench.passed(5) == 1);
}

TEST_CASE("rate_limit: a fraction of a request in a unit of time is one in a longer time") {
  Bench bench("0.5/second");
  CHECK(bench.passed(5) == 1);
  bench.clock.advance(2s);
  CHECK(bench.passed(5) == 1);
}

TEST_CASE("rate_limit: filters with the same name share their quotas, others do not") {
  LimitBench bench("filters: [ rate_limit: { rate: 2/minute, name: a }, rate_limit: { rate: 3/minute, name: b } ]");
  REQUIRE(bench.problems.empty());
  CHECK(bench.get(kAlice)["ratelimit"] == "\"b\";r=2;t=20, \"a\";r=1;t=30");
}

TEST_CASE("rate_limit: two without a name on one route are an error") {
  LimitBench bench("filters: [ rate_limit: 2/minute, rate_limit: 3/minute ]");
  REQUIRE(bench.problems.size() == 1);
  CHECK(bench.problems.all()[0].message == "two limits of one route are called '*'");
}
