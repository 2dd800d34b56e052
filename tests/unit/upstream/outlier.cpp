#include "upstream/outlier.h"

#include "unit/upstream/backend.h"

namespace weir::upstream {
namespace {

using namespace std::chrono_literals;

/// So many endpoints, with Envoy's defaults.
struct Answers : Bench {
  explicit Answers(int endpoints = 3, OutlierSettings outlier = {}) {
    settings.outlier_detection = outlier;
    std::vector<EndpointSettings> list;
    for (int i = 0; i < endpoints; ++i) list.push_back(endpoint("10.0.0." + std::to_string(i) + ":80"));
    with(std::move(list));
  }
  EndpointState& operator[](size_t i) { return *upstream->endpoints()->all()[i].state; }
  Health health(size_t i) { return (*this)[i].health; }
  Outlier& outlier() { return *upstream->outlier(); }
  void answers(size_t i, uint16_t status, int times = 1) {
    for (int k = 0; k < times; ++k) outlier().observe((*this)[i], Outcome::answered, status, loop.now());
  }
  void fails(size_t i, Outcome outcome, int times = 1) {
    for (int k = 0; k < times; ++k) outlier().observe((*this)[i], outcome, 0, loop.now());
  }
  /// An interval goes by.
  void interval() {
    advance(outlier().settings().interval);
    outlier().release_due(loop.now());
    outlier().end_interval(loop.now());
  }
  Duration ejected_for(size_t i) {
    Duration how_long{};
    upstream->state().health.with((*this)[i],
                                  [&](const EndpointHealth& known) { how_long = known.ejected_until - loop.now(); });
    return how_long;
  }
  /// Five 5xx, and then until it is back.
  Duration eject(size_t i) {
    answers(i, 500, 5);
    REQUIRE(health(i) == Health::ejected);
    const Duration how_long = ejected_for(i);
    advance(how_long);
    outlier().release_due(loop.now());
    REQUIRE(health(i) == Health::up);
    return how_long;
  }
  int64_t count(std::string cause) {
    return states_metrics.counter("outlier_ejections", "", {{"upstream", "api"}, {"cause", std::move(cause)}}).value();
  }
};

OutlierSettings only_rates() {
  OutlierSettings settings;
  settings.consecutive_5xx = 0;
  settings.max_ejection_percent = {1};
  return settings;
}

}  // namespace

TEST_CASE("outlier: five 5xx in a row put an endpoint aside, and the cause is told") {
  Answers bench;
  bench.answers(0, 500, 4);
  bench.answers(0, 404);
  bench.answers(0, 500, 4);
  CHECK(bench.health(0) == Health::up);
  bench.answers(0, 503);
  CHECK(bench.health(0) == Health::ejected);
  CHECK(bench.upstream->state().health.report(bench[0]).why ==
        "consecutive_5xx: answers in a row were 5xx, or missing, for 30s");
  CHECK(bench.count("consecutive_5xx") == 1);
}

TEST_CASE("outlier: an attempt without an answer is as good as a 503") {
  Answers bench;
  bench.fails(0, Outcome::refused, 2);
  bench.fails(0, Outcome::timed_out, 2);
  bench.fails(0, Outcome::broken);
  CHECK(bench.health(0) == Health::ejected);
}

TEST_CASE("outlier: a client that leaves says nothing of the endpoint") {
  Answers bench;
  bench.answers(0, 500, 4);
  bench.fails(0, Outcome::abandoned, 9);
  CHECK(bench.health(0) == Health::up);
  bench.answers(0, 500);
  CHECK(bench.health(0) == Health::ejected);
}

TEST_CASE("outlier: failures of a gateway count in a row of their own") {
  OutlierSettings settings;
  settings.consecutive_gateway_failure = 2;
  Answers bench(3, settings);
  bench.answers(0, 502);
  bench.answers(0, 500);
  bench.answers(0, 504);
  CHECK(bench.health(0) == Health::up);
  bench.answers(0, 503);
  CHECK(bench.count("consecutive_gateway_failure") == 1);
}

TEST_CASE("outlier: missing answers may be counted apart") {
  OutlierSettings settings;
  settings.split_local_origin = true;
  settings.consecutive_local_origin_failure = 3;
  Answers bench(3, settings);
  bench.answers(0, 500, 4);
  bench.fails(0, Outcome::refused, 2);
  CHECK(bench.health(0) == Health::up);
  bench.fails(0, Outcome::refused);
  CHECK(bench.count("consecutive_local_origin_failure") == 1);
}

TEST_CASE("outlier: a tenth may go at once, but one always") {
  Answers few(3);
  few.answers(0, 500, 5);
  few.answers(1, 500, 5);
  CHECK(few.health(0) == Health::ejected);
  CHECK(few.health(1) == Health::up);
  Answers many(20);
  for (size_t i = 0; i < 5; ++i) many.answers(i, 500, 5);
  CHECK(many.health(1) == Health::ejected);
  CHECK(many.health(2) == Health::up);
}

TEST_CASE("outlier: an ejection lasts longer each time in a row, up to a limit") {
  OutlierSettings settings;
  settings.max_ejection_time = 70s;
  Answers bench(3, settings);
  CHECK(bench.eject(0) == 30s);
  CHECK(bench.eject(0) == 60s);
  CHECK(bench.eject(0) == 70s);
  CHECK(bench.eject(0) == 70s);
}

TEST_CASE("outlier: ejections in a row for a rate last longer each time, too") {
  auto settings = only_rates();
  settings.max_ejection_time = 70s;
  SUBCASE("failure_percentage") {
    settings.success_rate.reset();
    settings.failure_percentage = OutlierSettings::FailurePercentage{};
  }
  SUBCASE("success_rate") {}
  Answers bench(6, settings);
  for (const auto how_long : {30s, 60s, 70s, 70s}) {
    for (size_t i = 0; i < 6; ++i) bench.answers(i, 200, i == 0 ? 5 : 100);
    bench.answers(0, 500, 95);
    bench.interval();
    REQUIRE(bench.health(0) == Health::ejected);
    CHECK(bench.ejected_for(0) == how_long);
    while (bench.health(0) == Health::ejected) bench.interval();
  }
}

TEST_CASE("outlier: ejections in a row for failures in a row last longer each time, whenever an interval ends") {
  Answers bench;
  for (const auto how_long : {30s, 60s, 90s, 120s}) {
    bench.answers(0, 500, 5);
    REQUIRE(bench.health(0) == Health::ejected);
    CHECK(bench.ejected_for(0) == how_long);
    while (bench.health(0) == Health::ejected) bench.interval();
  }
}

TEST_CASE("outlier: a good interval forgives one ejection") {
  Answers bench;
  bench.eject(0);
  bench.eject(0);
  bench.interval();  // that of the ejections
  bench.interval();
  CHECK(bench.eject(0) == 60s);
  for (int i = 0; i < 3; ++i) bench.interval();
  CHECK(bench.eject(0) == 30s);
}

TEST_CASE("outlier: an endpoint comes back slowly, and with a clean record") {
  Answers bench;
  bench.eject(0);
  CHECK(bench[0].up_since.load() == bench.loop.now());
  bench.answers(0, 500, 4);
  CHECK(bench.health(0) == Health::up);
}

TEST_CASE("outlier: who answers worse than the others is put aside at the end of the interval") {
  Answers bench(6, only_rates());
  for (size_t i = 0; i < 6; ++i) bench.answers(i, 200, i == 2 ? 60 : 100);
  bench.answers(2, 500, 40);
  CHECK(bench.health(2) == Health::up);
  bench.interval();
  CHECK(bench.health(2) == Health::ejected);
  CHECK(bench.count("success_rate") == 1);
  CHECK(bench.health(0) == Health::up);
}

TEST_CASE("outlier: too few hosts or requests prove nothing") {
  Answers few_hosts(4, only_rates());
  for (size_t i = 0; i < 4; ++i) few_hosts.answers(i, i == 2 ? 500 : 200, 100);
  few_hosts.interval();
  CHECK(few_hosts.health(2) == Health::up);
  Answers few_requests(6, only_rates());
  for (size_t i = 0; i < 6; ++i) few_requests.answers(i, i == 2 ? 500 : 200, 99);
  few_requests.interval();
  CHECK(few_requests.health(2) == Health::up);
}

TEST_CASE("outlier: when all are alike, none stands out") {
  Answers bench(6, only_rates());
  for (size_t i = 0; i < 6; ++i) {
    bench.answers(i, 500, 50);
    bench.answers(i, 200, 50);
  }
  bench.interval();
  for (size_t i = 0; i < 6; ++i) CHECK(bench.health(i) == Health::up);
}

TEST_CASE("outlier: who fails more often than the threshold is put aside, however the others do") {
  auto settings = only_rates();
  settings.success_rate.reset();
  settings.failure_percentage = OutlierSettings::FailurePercentage{};
  Answers bench(5, settings);
  for (size_t i = 0; i < 5; ++i) {
    bench.answers(i, 500, i < 2 ? 45 : 20);
    bench.answers(i, 200, i < 2 ? 5 : 30);
  }
  bench.interval();
  CHECK(bench.count("failure_percentage") == 2);
  CHECK(bench.health(2) == Health::up);
}

TEST_CASE("outlier: a check that passes ends an ejection, unless told not to") {
  Answers bench;
  bench.answers(0, 500, 5);
  bench.outlier().check_passed(bench[0], bench.loop.now());
  CHECK(bench.health(0) == Health::up);
  OutlierSettings settings;
  settings.uneject_on_check = false;
  Answers strict(3, settings);
  strict.answers(0, 500, 5);
  strict.outlier().check_passed(strict[0], strict.loop.now());
  CHECK(strict.health(0) == Health::ejected);
}

TEST_CASE("outlier: an answer that breaks off after its head counts once, as a failure") {
  UpstreamSettings settings;
  settings.outlier_detection.emplace();
  ForwardBench bench(std::move(settings));
  Request request(bench);
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  SUBCASE("a good one") { peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"); }
  SUBCASE("one that was a failure already") {
    peer.send("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\n\r\nhe");
  }
  REQUIRE(request.is_answered());
  peer.close();
  CHECK_FALSE(request.read());
  const auto& counts = bench.endpoint().outlier;
  CHECK(counts.total == 1);
  CHECK(counts.good == 0);
  CHECK(counts.errors == 1);
}

TEST_CASE("outlier: an answer that breaks off in the next interval makes no wrong numbers there") {
  Answers bench;
  bench.answers(0, 200);
  bench.interval();
  bench.outlier().broke_off(bench[0], Outcome::broken, 200, bench.loop.now());
  CHECK(bench[0].outlier.total == 0);
  CHECK(bench[0].outlier.good == 0);
}

TEST_CASE("outlier: what a gRPC call came to counts as the status that it would have had without gRPC") {
  const auto errors_after = [](std::string_view fields) {
    UpstreamSettings settings;
    settings.outlier_detection.emplace().consecutive_gateway_failure = 5;
    ForwardBench bench(std::move(settings));
    Request request(bench);
    request.start();
    Peer peer = bench.accept();
    bench.receive(peer);
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + std::string(fields) + "\r\n");
    REQUIRE(request.status() == 200);
    const auto& counts = bench.endpoint().outlier;
    CHECK(counts.total == 1);
    CHECK(counts.good + counts.errors == 1);
    return std::pair(counts.errors.load(), counts.gateway_failures.load());
  };
  const std::string call = "Content-Type: application/grpc+proto\r\n";
  CHECK(errors_after(call + "grpc-status: 14\r\n") == std::pair(1U, 1U));  // unavailable
  CHECK(errors_after(call + "grpc-status: 4\r\n") == std::pair(0U, 0U));   // the client's deadline was exceeded
  CHECK(errors_after(call + "grpc-status: 13\r\n") == std::pair(1U, 0U));  // internal
  CHECK(errors_after(call + "grpc-status: 0\r\n") == std::pair(0U, 0U));
  CHECK(errors_after(call + "grpc-status: 5\r\n") == std::pair(0U, 0U));  // not found
  CHECK(errors_after(call) == std::pair(0U, 0U));                         // it comes in the trailers
  CHECK(errors_after("Content-Type: text/plain\r\ngrpc-status: 14\r\n") == std::pair(0U, 0U));
}

}  // namespace weir::upstream
