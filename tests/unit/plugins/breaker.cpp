#include "unit/plugins/breaker_bench.h"

using namespace weir;
using namespace weir::plugins;
using State = Breaker::State;

TEST_CASE("breaker: opens when enough attempts were made and their share of failures is reached") {
  CircuitBench bench;
  bench.attempts(5, Verdict::success);
  bench.attempts(4, Verdict::failure);
  CHECK(bench.state() == State::closed);
  bench.attempts(1, Verdict::failure);
  CHECK(bench.state() == State::open);
  CHECK(bench.cause() == "5 of 10 attempts failed in 10s");
  CHECK_FALSE(bench.admit());
}

TEST_CASE("breaker: a success that completes the number may open it, too") {
  CircuitBench bench;
  bench.attempts(9, Verdict::failure);
  CHECK(bench.state() == State::closed);
  bench.attempts(1, Verdict::success);
  CHECK(bench.state() == State::open);
}

TEST_CASE("breaker: too few failures leave it closed, however many the attempts") {
  CircuitBench bench;
  for (int i = 0; i < 100; ++i) {
    bench.attempts(2, Verdict::success);
    bench.attempts(1, Verdict::failure);
  }
  CHECK(bench.state() == State::closed);
}

TEST_CASE("breaker: what is older than the window counts no more") {
  CircuitBench bench;
  bench.attempts(9, Verdict::failure);
  bench.now += 10s;
  bench.attempts(9, Verdict::failure);
  CHECK(bench.state() == State::closed);
  bench.now += 5s;
  bench.attempts(1, Verdict::failure);
  CHECK(bench.state() == State::open);
}

TEST_CASE("breaker: neutral attempts count neither for nor against") {
  CircuitBench bench;
  bench.attempts(100, Verdict::neutral);
  bench.attempts(9, Verdict::failure);
  CHECK(bench.state() == State::closed);
  CHECK(bench.breaker.status(bench.now).counts.all == 9);
}

TEST_CASE("breaker: slow answers open it when there is a limit for them") {
  CircuitBench bench;
  bench.attempts(10, Verdict::slow);
  CHECK(bench.state() == State::closed);
  bench.settings.slow = SlowAnswers{.after = 1s, .ratio = Ratio{0.5}};
  const auto before = std::move(bench.made);
  bench.attempts(1, Verdict::slow);
  CHECK(bench.state() == State::open);
  CHECK(bench.cause() == "11 of 11 attempts took longer than 1s in 10s");
}

TEST_CASE("breaker: an answer that broke off turns its success into a failure") {
  CircuitBench bench;
  for (int i = 0; i < 10; ++i) {
    const auto ticket = bench.admit();
    REQUIRE(ticket);
    CHECK(bench.settle(*ticket, Verdict::success));
    if (i >= 5) bench.spoil(*ticket);
  }
  CHECK(bench.cause() == "5 of 10 attempts failed in 10s");
}

TEST_CASE("breaker: refuses for its time, a tenth more or less, and says how much is left") {
  CircuitBench bench;
  bench.trip();
  const auto left = bench.breaker.refuses_for(bench.now);
  CHECK(left >= 4500ms);
  CHECK(left <= 5500ms);
  bench.now += left - 1ms;
  CHECK_FALSE(bench.admit());
  CHECK_FALSE(bench.breaker.would_admit(bench.settings, bench.now));
  bench.now += 1ms;
  CHECK(bench.breaker.would_admit(bench.settings, bench.now));
  CHECK(bench.admit());
  CHECK(bench.state() == State::half_open);
}

TEST_CASE("breaker: half-open, it lets no more through at a time than its probes") {
  CircuitBench bench;
  bench.trip();
  bench.wait_for_probes();
  int admitted = 0;
  for (int i = 0; i < 200; ++i) admitted += bench.admit().has_value();
  CHECK(admitted == 3);
  CHECK_FALSE(bench.breaker.would_admit(bench.settings, bench.now));
}

TEST_CASE("breaker: a probe given up gives its place back and decides nothing") {
  CircuitBench bench;
  bench.trip();
  bench.wait_for_probes();
  bench.attempts(500, Verdict::neutral);
  CHECK(bench.state() == State::half_open);
  CHECK(bench.breaker.status(bench.now).probes == 0);
  int admitted = 0;
  for (int i = 0; i < 200; ++i) admitted += bench.admit().has_value();
  CHECK(admitted == 3);
}

TEST_CASE("breaker: probes whose answers wait for their clients take no places of those that wait for the endpoint") {
  CircuitBench bench;
  bench.trip();
  bench.wait_for_probes();
  const auto admits = [&](Needs needs) { return bench.breaker.admit(bench.circuit(), bench.now, needs).has_value(); };
  for (int i = 0; i < 3; ++i) CHECK(admits(Needs::client));
  CHECK_FALSE(admits(Needs::client));
  CHECK_FALSE(bench.breaker.would_admit(bench.settings, bench.now, Needs::client));
  CHECK(bench.breaker.would_admit(bench.settings, bench.now));
  CHECK(bench.breaker.status(bench.now).probes == 3);
  bench.attempts(3, Verdict::success);
  CHECK(bench.state() == State::closed);
}

TEST_CASE("breaker: probes that have no result for long lose their places, and still count when they have one") {
  for (const auto needs : {Needs::endpoint, Needs::client}) {
    CircuitBench bench;
    bench.trip();
    bench.wait_for_probes();
    const auto admit = [&] { return bench.breaker.admit(bench.circuit(), bench.now, needs); };
    std::vector<uint64_t> held;
    for (int i = 0; i < 3; ++i) held.push_back(admit().value());
    bench.now += needs == Needs::client ? 900ms : 4900ms;
    CHECK_FALSE(bench.breaker.would_admit(bench.settings, bench.now, needs));
    CHECK_FALSE(admit());
    bench.now += 100ms;
    CHECK(bench.breaker.would_admit(bench.settings, bench.now, needs));
    int admitted = 0;
    for (int i = 0; i < 50; ++i) admitted += admit().has_value();
    CHECK(admitted == 3);
    for (const auto ticket : held) bench.settle(ticket, Verdict::success);
    CHECK(bench.state() == State::closed);
  }
}

TEST_CASE("breaker: a client whose probes have no result keeps none of another's from closing it") {
  CircuitBench bench;
  bench.trip();
  bench.wait_for_probes();
  const auto admit = [&](uint64_t client) {
    return bench.breaker.admit(bench.circuit(), bench.now, {Needs::endpoint, client});
  };
  int admitted = 0;
  for (int i = 0; i < 50; ++i) admitted += admit(1).has_value();
  CHECK(admitted == 2);  // of 3 places
  CHECK(admit(2));
  bench.now += 4s;
  CHECK_FALSE(admit(3));
  bench.now += 1s;
  CHECK_FALSE(admit(1));
  for (uint64_t client = 3; client < 6; ++client) {
    const auto probe = admit(client);
    REQUIRE(probe);
    bench.settle(*probe, Verdict::success);
  }
  CHECK(bench.state() == State::closed);
}

TEST_CASE("breaker: a client whose probes have no result probes on when nobody else does") {
  CircuitBench bench;
  bench.trip();
  bench.wait_for_probes();
  const auto admit = [&] { return bench.breaker.admit(bench.circuit(), bench.now, {Needs::endpoint, 1}); };
  CHECK(admit());
  bench.now += 5s;
  const auto probe = admit();
  REQUIRE(probe);
  bench.settle(*probe, Verdict::success);
}

TEST_CASE("breaker: a client that gives its probes up again and again lets others go first") {
  CircuitBench bench;
  bench.settings.half_open_requests = 1;
  bench.trip();
  bench.wait_for_probes();
  const auto admit = [&](uint64_t client) {
    return bench.breaker.admit(bench.circuit(), bench.now, {Needs::endpoint, client});
  };
  const auto given_up = admit(1);
  REQUIRE(given_up);
  CHECK_FALSE(admit(2));  // who asked, and may ask again
  bench.now += 1s;
  bench.settle(*given_up, Verdict::neutral);
  CHECK_FALSE(admit(1));
  for (int i = 0; i < 3; ++i) {
    const auto probe = admit(2);
    REQUIRE(probe);
    bench.settle(*probe, Verdict::success);
    if (i < 2) CHECK_FALSE(admit(1));
  }
  CHECK(bench.state() == State::closed);
}

TEST_CASE("breaker: a client that gives its probes up probes on when nobody else does") {
  CircuitBench bench;
  bench.trip();
  bench.wait_for_probes();
  const auto admit = [&] { return bench.breaker.admit(bench.circuit(), bench.now, {Needs::endpoint, 1}); };
  for (int i = 0; i < 10; ++i) {
    const auto probe = admit();
    REQUIRE(probe);
    bench.settle(*probe, Verdict::neutral);
  }
}

TEST_CASE("breaker: a probe that Weir itself gave up is not its client's doing") {
  CircuitBench bench;
  bench.trip();
  bench.wait_for_probes();
  const auto admit = [&](uint64_t client) {
    return bench.breaker.admit(bench.circuit(), bench.now, {Needs::endpoint, client});
  };
  const auto probe = admit(1);
  REQUIRE(probe);
  CHECK(admit(2));
  bench.settle(*probe, Verdict::withdrawn);
  CHECK(admit(1));
}

TEST_CASE("breaker: probes in a row close it, and it forgets") {
  CircuitBench bench;
  bench.trip();
  bench.wait_for_probes();
  bench.attempts(2, Verdict::success);
  CHECK(bench.state() == State::half_open);
  bench.attempts(1, Verdict::success);
  CHECK(bench.state() == State::closed);
  CHECK(bench.cause() == "3 probes succeeded");
  bench.attempts(9, Verdict::failure);
  CHECK(bench.state() == State::closed);
}

TEST_CASE("breaker: one probe that fails opens it again, for twice as long each time, up to the limit") {
  CircuitBench bench;
  bench.trip();
  for (const auto wanted : {10s, 20s, 40s, 60s, 60s}) {
    CAPTURE(wanted.count());
    bench.wait_for_probes();
    bench.attempts(1, Verdict::failure);
    CHECK(bench.state() == State::open);
    const auto left = bench.breaker.refuses_for(bench.now);
    CHECK(left >= wanted * 9 / 10);
    CHECK(left <= std::min<Duration>(wanted * 11 / 10, 66s));
  }
  CHECK(bench.cause() == "a probe failed");
  bench.now += 67s;
  bench.attempts(3, Verdict::success);
  bench.trip();
  CHECK(bench.breaker.refuses_for(bench.now) <= 5500ms);
}

TEST_CASE("breaker: a slow probe, and one whose answer breaks off, open it again") {
  CircuitBench bench;
  bench.trip();
  bench.wait_for_probes();
  bench.attempts(1, Verdict::slow);
  CHECK(bench.cause() == "a probe was slow");
  bench.wait_for_probes();
  const auto ticket = bench.admit();
  REQUIRE(ticket);
  CHECK(bench.settle(*ticket, Verdict::success));
  bench.spoil(*ticket);
  CHECK(bench.state() == State::open);
  CHECK(bench.cause() == "a probe's answer broke off");
}

TEST_CASE("breaker: an attempt from before a change counts no more, and holds no place") {
  CircuitBench bench;
  const auto old = bench.admit();
  REQUIRE(old);
  bench.trip();
  bench.wait_for_probes();
  const auto probe = bench.admit();
  REQUIRE(probe);
  CHECK_FALSE(bench.settle(*old, Verdict::failure));
  CHECK(bench.state() == State::half_open);
  CHECK_FALSE(bench.settle(*old, Verdict::neutral));
  CHECK(bench.breaker.status(bench.now).probes == 1);
  bench.attempts(1, Verdict::failure);
  bench.wait_for_probes();
  CHECK_FALSE(bench.settle(*probe, Verdict::success));
  int admitted = 0;
  for (int i = 0; i < 200; ++i) admitted += bench.admit().has_value();
  CHECK(admitted == 3);
}

TEST_CASE("breaker: a thousand times open and closed leaves nothing behind") {
  CircuitBench bench;
  for (int i = 0; i < 1000; ++i) {
    bench.trip();
    bench.wait_for_probes();
    const auto left = bench.admit();  // never settled in its era
    REQUIRE(left);
    bench.attempts(1, Verdict::neutral);
    bench.attempts(3, Verdict::success);
    CHECK_FALSE(bench.settle(*left, Verdict::failure));
  }
  const auto status = bench.breaker.status(bench.now);
  CHECK(status.state == State::closed);
  CHECK(status.probes == 0);
  CHECK(status.counts.all == 0);
  CHECK(bench.changes("closed", "open") == 1000);
  CHECK(bench.changes("open", "half_open") == 1000);
  CHECK(bench.changes("half_open", "closed") == 1000);
  CHECK(bench.shown("closed") == 1);
}

TEST_CASE("breaker: forced, it neither counts nor changes until it is given back") {
  CircuitBench bench;
  bench.breaker.force(State::forced_open, bench.now);
  bench.now += 1h;
  CHECK_FALSE(bench.admit());
  CHECK(bench.cause() == "forced by an operator");
  bench.breaker.force(State::forced_closed, bench.now);
  bench.attempts(100, Verdict::failure);
  CHECK(bench.state() == State::forced_closed);
  bench.breaker.force(State::closed, bench.now);
  CHECK(bench.state() == State::closed);
  CHECK(bench.breaker.status(bench.now).counts.all == 0);
  bench.trip();
  CHECK(bench.state() == State::open);
  bench.breaker.force(State::closed, bench.now);
  CHECK(bench.state() == State::open);
}

TEST_CASE("breaker: one that was forced open is probed before it closes") {
  CircuitBench bench;
  bench.breaker.force(State::forced_open, bench.now);
  bench.breaker.force(State::closed, bench.now);
  CHECK(bench.state() == State::half_open);
  CHECK(bench.cause() == "no longer forced");
  bench.attempts(3, Verdict::success);
  CHECK(bench.state() == State::closed);
}

TEST_CASE("breaker: one gauge of its states is 1, and refusals are counted") {
  CircuitBench bench;
  bench.circuit();
  CHECK(bench.shown("closed") == 1);
  bench.trip();
  CHECK(bench.shown("closed") == 0);
  CHECK(bench.shown("open") == 1);
  for (int i = 0; i < 7; ++i) CHECK_FALSE(bench.admit());
  CHECK(bench.count("circuit_breaker_rejected", {}) == 7);
  bench.wait_for_probes();
  bench.attempts(1, Verdict::neutral);
  CHECK(bench.shown("open") == 0);
  CHECK(bench.shown("half_open") == 1);
}

TEST_CASE("breaker: one that is gone is in no state") {
  CircuitBench bench;
  bench.circuit();
  CHECK(bench.shown("closed") == 1);
  bench.made.reset();
  CHECK(bench.shown("closed") == 0);
  CHECK(bench.list->all().empty());
}

TEST_CASE("breaker: a circuit that a reload changes keeps its state, also one that an operator forced") {
  CircuitBench bench;
  bench.trip();
  auto before = std::move(bench.made);
  bench.settings.window = 20s;
  const auto after = bench.another("api");
  CHECK(after->breaker().state() == State::open);
  after->breaker().force(State::forced_open, bench.now);
  bench.settings.window = 30s;
  const auto last = bench.another("api");
  before.reset();
  CHECK(last->breaker().state() == State::forced_open);
}

TEST_CASE("breaker: attempts count within the window of the circuit that they were made by") {
  CircuitBench bench;
  bench.attempts(9, Verdict::failure);
  const auto before = std::move(bench.made);
  bench.settings.window = 20s;
  bench.attempts(9, Verdict::failure);
  CHECK(bench.state() == State::closed);
  CHECK(bench.breaker.status(bench.now).counts.all == 9);
  const auto ticket = bench.breaker.admit(*before, bench.now);
  bench.breaker.settle(*before, *ticket, Verdict::failure, bench.now);
  CHECK(bench.state() == State::open);
}

TEST_CASE("breaker: during a reload the gauges of one circuit are 0 or 1, and those of its newest state") {
  CircuitBench bench;
  const auto states = [&] { return std::vector{bench.shown("closed"), bench.shown("open"), bench.shown("half_open")}; };
  bench.trip();
  CHECK(states() == std::vector<int64_t>{0, 1, 0});
  const auto after = bench.another("api");
  CHECK(states() == std::vector<int64_t>{0, 1, 0});
  bench.made.reset();
  CHECK(states() == std::vector<int64_t>{0, 1, 0});
  // Another circuit takes the name, as that of a route without one that a reload puts before the others.
  const auto other = std::make_shared<Breaker>(Breaker::Settings{"other"});
  auto newest = Circuit::make({}, "api", {{"upstream", "api"}}, bench.metrics, {.breaker = other, .list = bench.list});
  CHECK(states() == std::vector<int64_t>{1, 0, 0});
  after->breaker().force(State::forced_closed, bench.now);
  after->breaker().force(State::forced_open, bench.now);
  CHECK(states() == std::vector<int64_t>{1, 0, 0});
  CHECK(bench.list->find("api") == newest);
  newest.reset();
  CHECK(states() == std::vector<int64_t>{0, 1, 0});
}

TEST_CASE("breaker: no upstream, endpoint or route has the circuit of another") {
  CHECK(upstream_circuit("api") == "api");
  CHECK(endpoint_circuit("api", "127.0.0.1:9001") == "api/127.0.0.1:9001");
  CHECK(endpoint_circuit("api", "unix:/run/api") == "api/unix:/run/api");
  CHECK(route_circuit("shop") == "route/shop");
  CHECK(upstream_circuit("route/shop") != route_circuit("shop"));
  CHECK(endpoint_circuit("route", "shop") != route_circuit("shop"));
  CHECK(upstream_circuit("api/a:1") != endpoint_circuit("api", "a:1"));
  CHECK(upstream_circuit("a%2Fb") != upstream_circuit("a/b"));
  CHECK(upstream_circuit("%72oute") != upstream_circuit("route"));
}

TEST_CASE("breaker: what the ends of attempts mean") {
  BreakerSettings settings;
  const auto verdict = [&](Outcome outcome, uint16_t status = 0, Duration took = 1ms) {
    return judge(settings, {outcome, status, took, Time()});
  };
  CHECK(verdict(Outcome::answered, 200) == Verdict::success);
  CHECK(verdict(Outcome::answered, 304, 1h) == Verdict::success);
  CHECK(verdict(Outcome::answered, 404) == Verdict::sign_of_life);
  CHECK(verdict(Outcome::answered, 500) == Verdict::sign_of_life);
  CHECK(verdict(Outcome::answered, 501) == Verdict::sign_of_life);
  for (const uint16_t status : {502, 503, 504}) CHECK(verdict(Outcome::answered, status) == Verdict::failure);
  CHECK(verdict(Outcome::answered, 505) == Verdict::sign_of_life);
  CHECK(verdict(Outcome::refused) == Verdict::failure);
  CHECK(verdict(Outcome::timed_out) == Verdict::failure);
  CHECK(verdict(Outcome::broken) == Verdict::failure);
  CHECK(verdict(Outcome::abandoned) == Verdict::neutral);
  settings.statuses = {429, 503};
  settings.slow = SlowAnswers{.after = 1s};
  CHECK(verdict(Outcome::answered, 502) == Verdict::sign_of_life);
  CHECK(verdict(Outcome::answered, 429) == Verdict::failure);
  CHECK(verdict(Outcome::answered, 200, 1001ms) == Verdict::slow);
}
