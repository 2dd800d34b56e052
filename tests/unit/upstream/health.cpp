#include "upstream/health.h"

#include "unit/upstream/bench.h"

namespace weir::upstream {
namespace {

using namespace std::chrono_literals;

/// rise 2, fall 3.
bool learn(CheckTally& tally, bool has_passed, uint32_t first_fall = 3) {
  return tally.learn(has_passed, 2, 3, first_fall);
}

/// An upstream of two endpoints, and what everybody says of the first.
struct Judged : Bench {
  Judged() { with({endpoint("10.0.0.1:80"), endpoint("10.0.0.2:80")}); }
  EndpointState& first() { return *upstream->endpoints()->all()[0].state; }
  void says(Judge judge, Health health, std::string why = "because") {
    upstream->state().health.judge(first(), judge, health, std::move(why), loop.now());
  }
  HealthReport report() { return upstream->state().health.report(first()); }
};

}  // namespace

TEST_CASE("check tally: three failures in a row take down, two passes bring up") {
  CheckTally tally;
  CHECK(learn(tally, true));
  CHECK_FALSE(learn(tally, false));
  CHECK_FALSE(learn(tally, false));
  CHECK(learn(tally, false));
  CHECK(tally.state == CheckTally::State::down);
  CHECK_FALSE(learn(tally, true));
  CHECK(learn(tally, true));
  CHECK(tally.state == CheckTally::State::up);
}

TEST_CASE("check tally: a pass between failures begins the count anew") {
  CheckTally tally{.state = CheckTally::State::up};
  for (int i = 0; i < 5; ++i) {
    CHECK_FALSE(learn(tally, false));
    CHECK_FALSE(learn(tally, false));
    CHECK_FALSE(learn(tally, true));
  }
}

TEST_CASE("check tally: of an unknown endpoint the first pass is believed, and as many failures as it is told") {
  CheckTally passed;
  CHECK(learn(passed, true));
  CheckTally failed;
  CHECK(learn(failed, false, 1));
  CheckTally patient;
  CHECK_FALSE(learn(patient, false, 3));
  CHECK(patient.is_changing());
}

TEST_CASE("health ledger: the worst opinion counts, and tells whose it is") {
  Judged bench;
  bench.says(Judge::outlier, Health::ejected, "5 in a row");
  CHECK(bench.first().health == Health::ejected);
  bench.says(Judge::check, Health::down, "3 failed");
  CHECK(bench.report().health == Health::down);
  CHECK(bench.report().judge == "check");
  CHECK(bench.report().why == "3 failed");
  bench.says(Judge::check, Health::up);
  CHECK(bench.report().judge == "outlier");
  CHECK(bench.report().why == "5 in a row");
  bench.says(Judge::outlier, Health::up);
  CHECK(bench.report().judge.empty());
}

TEST_CASE("health ledger: what changes nothing is no change") {
  Judged bench;
  const auto version = bench.upstream->state().health.version();
  bench.says(Judge::check, Health::up);
  CHECK(bench.upstream->state().health.version() == version);
  CHECK(bench.report().since == Time::min());
  bench.says(Judge::check, Health::down);
  CHECK(bench.upstream->state().health.version() != version);
  CHECK(bench.report().since == bench.loop.now());
}

TEST_CASE("health ledger: opinions outlive a reload") {
  Judged bench;
  bench.says(Judge::admin, Health::draining);
  bench.with({Bench::endpoint("10.0.0.2:80"), Bench::endpoint("10.0.0.1:80")});
  CHECK(bench.upstream->endpoints()->all()[1].state->health == Health::draining);
}

TEST_CASE("health ledger: a recovered endpoint starts slowly, one that is merely no more degraded doesn't") {
  Judged bench;
  bench.says(Judge::backend, Health::degraded);
  bench.says(Judge::backend, Health::up);
  CHECK(bench.first().up_since.load() == Time::min());
  bench.says(Judge::check, Health::down);
  bench.says(Judge::check, Health::up);
  CHECK(bench.first().up_since.load() == bench.loop.now());
}

TEST_CASE("health ledger: a new endpoint of a new upstream starts at once when its first check passes") {
  Bench bench;
  bench.settings.health_check.emplace().initial = Health::checking;
  bench.with({Bench::endpoint("10.0.0.1:80")});
  auto& state = *bench.upstream->endpoints()->all()[0].state;
  CHECK(state.health == Health::checking);
  bench.upstream->state().health.judge(state, Judge::check, Health::up, "passed", bench.loop.now());
  CHECK(state.up_since.load() == Time::min());
}

TEST_CASE("health header: an answer that says `drain` is believed, and the client doesn't see it") {
  Judged bench;
  bench.settings.health_check.emplace();
  bench.settings.health_header = "x-weir-health";
  bench.with({Bench::endpoint("10.0.0.1:80")});
  auto& head = bench.exchange.response.head;
  const auto answer = [&](std::string_view said) {
    head.headers.clear();
    head.headers.add("X-Weir-Health", said);
    bench.upstream->observe(bench.first(), Outcome::answered, &head, Duration{}, bench.loop.now());
    return bench.first().health.load();
  };
  CHECK(answer("drain") == Health::draining);
  CHECK(head.headers.empty());
  CHECK(answer("nonsense") == Health::draining);
  CHECK(answer("degraded") == Health::degraded);
  CHECK(answer("down") == Health::down);
  CHECK(answer("up") == Health::up);
  CHECK(bench.report().judge.empty());
}

TEST_CASE("health header: without the setting it is a field like any other") {
  Judged bench;
  auto& head = bench.exchange.response.head;
  head.headers.add("x-weir-health", "drain");
  bench.upstream->observe(bench.first(), Outcome::answered, &head, Duration{}, bench.loop.now());
  CHECK(bench.first().health == Health::up);
  CHECK(head.headers.size() == 1);
}

}  // namespace weir::upstream
