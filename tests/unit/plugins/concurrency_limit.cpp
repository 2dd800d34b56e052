#include "plugins/concurrency_limit/concurrency_limit.h"
#include "unit/plugins/limit_bench.h"

using namespace weir;
using namespace weir::plugins;
using namespace std::chrono_literals;

namespace {

const std::string kAlice = "10.0.0.1";
const std::string kBob = "10.0.0.2";

struct Bench : LimitBench {
  explicit Bench(const std::string& settings) : LimitBench("filters: [concurrency_limit: " + settings + "]") {
    INFO(problems.text());
    REQUIRE(problems.empty());
  }
  int64_t in_flight() const { return count("concurrency_limit_in_flight", "limiter", "*"); }
  int64_t queued() const { return count("concurrency_limit_queued", "limiter", "*"); }
  int64_t refused(const std::string& reason) const { return count("concurrency_limit_refused", "reason", reason); }
};

uint16_t status_of(const LimitBench::Request& request) { return request.exchange.response.head.status; }

}  // namespace

TEST_CASE("concurrency_limit: so many are in flight, the others are refused") {
  Bench bench("2");
  const auto first = bench.begin(kAlice);
  const auto second = bench.begin(kBob);
  CHECK(bench.in_flight() == 2);
  const auto refused = bench.get(kAlice);
  CHECK(refused.status == 503);
  CHECK(refused["retry-after"] == "1");
  CHECK(bench.refused("full") == 1);
}

TEST_CASE("concurrency_limit: a place comes free when the response's body is over, not when it begins") {
  Bench bench("1");
  const auto first = bench.begin(kAlice);
  CHECK(first->is_done());  // its head is there
  CHECK(bench.get(kAlice).status == 503);
  first->exchange.response.body.reset();
  CHECK(bench.in_flight() == 0);
  CHECK(bench.get(kAlice).status == 200);
}

TEST_CASE("concurrency_limit: a client that goes gives its place back") {
  Bench bench("1");
  auto first = bench.begin(kAlice);
  first.reset();
  CHECK(bench.in_flight() == 0);
  CHECK(bench.get(kAlice).status == 200);
}

TEST_CASE("concurrency_limit: a failed request holds no place while its page is sent") {
  struct Failing : Origin {
    Task<> handle(Exchange& exchange) const override {
      exchange.fail({ErrorCode::connect_refused, Side::upstream});
      co_return;
    }
  };
  Bench bench("1");
  bench.chain = Chain(bench.chain.links(), std::make_shared<Failing>());
  const auto failed = bench.begin(kAlice);
  CHECK(bench.in_flight() == 0);
}

TEST_CASE("concurrency_limit: each key has as many places") {
  Bench bench("{ max: 1, key: client.ip }");
  const auto alice = bench.begin(kAlice);
  const auto bob = bench.begin(kBob);
  CHECK(status_of(*bob) == 200);
  const auto refused = bench.get(kAlice);
  CHECK(refused.status == 429);
  CHECK(refused.has(Flag::RL));
  CHECK(refused["retry-after"] == "1");
  CHECK(refused.body.contains(R"("violated-policies":["default"])"));
}

TEST_CASE("concurrency_limit: the status is by choice") {
  Bench with_key("{ max: 1, key: client.ip, status: 503 }");
  const auto one = with_key.begin(kAlice);
  CHECK(with_key.get(kAlice).status == 503);
  Bench without("{ max: 1, status: 429 }");
  const auto other = without.begin(kAlice);
  CHECK(without.get(kAlice).status == 429);
}

TEST_CASE("concurrency_limit: who waits gets the place that comes free, first come, first served") {
  Bench bench("{ max: 1, queue: { max: 2, timeout: 10s } }");
  auto first = bench.begin(kAlice);
  const auto second = bench.begin(kAlice);
  const auto third = bench.begin("10.0.0.2");
  CHECK(bench.queued() == 2);
  CHECK(bench.get("10.0.0.3").status == 503);
  first.reset();
  bench.advance(0s);
  CHECK(second->is_done());
  CHECK_FALSE(third->is_done());
  second->exchange.response.body.reset();
  bench.advance(0s);
  CHECK(third->is_done());
  CHECK(bench.queued() == 0);
  CHECK(bench.in_flight() == 1);
}

TEST_CASE("concurrency_limit: one client fills no more than half of the queue that all share") {
  Bench bench("{ max: 1, queue: { max: 10, timeout: 10s } }");
  std::vector<std::unique_ptr<LimitBench::Request>> crowd;
  for (int i = 0; i < 20; ++i) crowd.push_back(bench.begin(kAlice));
  CHECK(bench.queued() == 5);
  const auto other = bench.begin("10.0.0.2");
  CHECK_FALSE(other->is_done());
  CHECK(bench.queued() == 6);
  crowd.clear();
  bench.advance(0s);
  CHECK(other->answer().status == 200);
}

TEST_CASE("concurrency_limit: the queue of a key is the key's alone") {
  Bench bench("{ max: 1, key: client.ip, queue: { max: 4, timeout: 10s } }");
  std::vector<std::unique_ptr<LimitBench::Request>> crowd;
  for (int i = 0; i < 20; ++i) crowd.push_back(bench.begin(kAlice));
  CHECK(bench.queued() == 4);
}

TEST_CASE("concurrency_limit: one client opens no more than half of the keys") {
  Bench bench("{ max: 1, key: header.x-user, max_keys: 16 }");
  std::vector<std::unique_ptr<LimitBench::Request>> held;
  for (int i = 0; i < 100; ++i) held.push_back(bench.begin(kAlice, {{"x-user", std::to_string(i)}}));
  CHECK(bench.in_flight() == 8);
  CHECK(bench.get("10.0.0.2", {{"x-user", "bob"}}).status == 200);
  held.clear();
  CHECK(bench.get(kAlice, {{"x-user", "ann"}}).status == 200);
}

TEST_CASE("concurrency_limit: nobody waits longer than the queue's timeout") {
  Bench bench("{ max: 1, queue: { max: 5, timeout: 1s } }");
  const auto first = bench.begin(kAlice);
  const auto second = bench.begin(kAlice);
  bench.advance(1010ms);
  CHECK(second->is_done());
  CHECK(second->answer().status == 503);
  CHECK(bench.refused("timed_out") == 1);
  CHECK(bench.queued() == 0);
}

TEST_CASE("concurrency_limit: one who leaves the line makes room, and takes no place") {
  Bench bench("{ max: 1, queue: 1 }");
  auto first = bench.begin(kAlice);
  auto second = bench.begin(kAlice);
  second.reset();
  CHECK(bench.queued() == 0);
  const auto third = bench.begin(kAlice);
  first.reset();
  bench.advance(0s);
  CHECK(third->is_done());
}

TEST_CASE("concurrency_limit: a wrapped body is the body that it was") {
  Bench bench("1");
  const auto request = bench.begin(kAlice);
  CHECK(request->exchange.response.body->size() == http::BodySize::known(2));
  CHECK(request->answer().body == "ok");
}

TEST_CASE("concurrency_limit: the number of keys in flight is bounded") {
  Bench bench("{ max: 1, key: client.ip, max_keys: 16 }");
  std::vector<std::unique_ptr<LimitBench::Request>> held;
  for (int i = 0; i < 16; ++i) held.push_back(bench.begin("10.0.1." + std::to_string(i)));
  CHECK(bench.in_flight() == 16);  // whichever keys they are
  for (int i = 0; i < 184; ++i) held.push_back(bench.begin("10.0.3." + std::to_string(i)));
  CHECK(bench.in_flight() == 16);
  CHECK(bench.refused("full") == 184);
  held.clear();
  for (int i = 0; i < 200; ++i) CHECK(bench.get("10.0.2." + std::to_string(i)).status == 200);
}

TEST_CASE("concurrency_limit: a reload keeps the places, and changes their number") {
  Bench bench("{ max: 2, name: api }");
  const auto first = bench.begin(kAlice);
  const auto second = bench.begin(kAlice);
  FilterContext context{bench.problems, bench.slots, bench.metrics, "test"};
  const ConcurrencyLimitSettings settings{.max = 3, .name = {"api"}};
  bench.chain = Chain({{"concurrency_limit", std::make_shared<const ConcurrencyLimit>(
                                                 settings, FilterContext::Scope{"api", "api"}, context)}},
                      bench.origin);
  const auto third = bench.begin(kAlice);
  CHECK(status_of(*third) == 200);
  CHECK(bench.get(kAlice).status == 503);
}

TEST_CASE("concurrency_limit: nonsense is told at its place") {
  const auto told = [](const std::string& settings) {
    const FilterBench bench("filters:\n  - concurrency_limit: " + settings + "\n");
    return bench.problems.empty() ? "" : bench.problems.all()[0].at.path + ": " + bench.problems.all()[0].message;
  };
  CHECK(told("{ max: 10, key: client.ip, queue: { max: 100, timeout: 2s }, status: 429 }") == "");
  CHECK(told("0").starts_with("filters[0].concurrency_limit"));
  CHECK(told("{ key: client.ip }") != "");
  CHECK(told("{ max: 1, status: 500 }").starts_with("filters[0].concurrency_limit.status: "));
  CHECK(told("{ max: 1, name: a b }").ends_with("'a b' is not a name for a limit"));
  CHECK(told("{ max: 1, queue: { timeout: 0s } }").starts_with("filters[0].concurrency_limit.queue.timeout: "));
}
