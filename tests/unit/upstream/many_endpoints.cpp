#include "unit/growth.h"
#include "unit/upstream/backend.h"
#include "upstream/health_watch.h"
#include "upstream/outlier.h"

// Upstreams of thousands of endpoints, and thousands of upstreams.

namespace weir::upstream {
namespace {

std::vector<EndpointSpec> addresses(size_t count) {
  std::vector<EndpointSpec> specs;
  for (size_t i = 0; i < count; ++i) {
    const auto text = "10." + std::to_string(i >> 16 & 255) + "." + std::to_string(i >> 8 & 255) + "." +
                      std::to_string(i & 255) + ":80";
    specs.push_back({.address = *net::Address::parse(text), .weight = static_cast<uint32_t>(1 + i % 3)});
  }
  return specs;
}

}  // namespace

TEST_CASE("many endpoints: making their states costs as much as there are") {
  const auto make = [](size_t count) {
    const auto specs = addresses(count);
    FilterMetrics metrics;
    UpstreamState state("api", metrics);
    std::vector<std::shared_ptr<EndpointState>> held;
    for (const auto& spec : specs) held.push_back(state.endpoint(spec.address, {}));
  };
  CHECK(growth(2500, make) < kNearLinear);
}

TEST_CASE("many endpoints: making the states of upstreams costs as much as there are") {
  const auto make = [](size_t count) {
    UpstreamStates states;
    std::vector<std::shared_ptr<UpstreamState>> held;
    for (size_t i = 0; i < count; ++i) held.push_back(states.find("pool" + std::to_string(i)));
  };
  CHECK(growth(2500, make) < kNearLinear);
}

TEST_CASE("many endpoints: states that nobody holds are forgotten before they are twice those in use") {
  WeakStates<int> states;
  std::vector<std::shared_ptr<int>> held;
  for (int i = 0; i < 10'000; ++i) {
    auto state = std::make_shared<int>(i);
    states.add(std::to_string(i), state);
    if (i < 100) held.push_back(state);
  }
  CHECK(states.size() <= 2 * held.size() + 1);
  CHECK(states.find("99") == held[99]);
  CHECK_FALSE(states.find("100"));
}

TEST_CASE("many endpoints: every policy's table is built at about the cost of its endpoints") {
  const auto specs = addresses(4 * 600);
  for (const auto policy : {Policy::round_robin, Policy::least_connections, Policy::random_two, Policy::peak_ewma,
                            Policy::ring, Policy::rendezvous, Policy::maglev}) {
    CAPTURE(static_cast<int>(policy));
    FilterMetrics metrics;
    UpstreamState state("api", metrics);
    UpstreamSettings settings;
    settings.balance.value = {.policy = policy, .maglev_size = 1021};
    const auto build = [&](size_t count) {
      const EndpointSet set(settings, {specs.begin(), specs.begin() + static_cast<std::ptrdiff_t>(count)}, state, {});
      CHECK(set.all().size() == count);
    };
    CHECK(growth(600, build) < kNearLinear);  // more would measure the caches
  }
}

TEST_CASE("many endpoints: an upstream of one endpoint has no table, whatever its policy") {
  FilterMetrics metrics;
  for (const auto policy : {Policy::ring, Policy::maglev}) {
    const auto build = [&](size_t upstreams) {
      UpstreamState state("api", metrics);
      UpstreamSettings settings;
      settings.balance.value = {.policy = policy};
      for (size_t i = 0; i < upstreams; ++i) const EndpointSet set(settings, addresses(1), state, {});
    };
    const auto begun = std::chrono::steady_clock::now();
    build(2000);  // 2,000 tables of 65,537 slots would take a second at least
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::milliseconds(700));
  }
}

TEST_CASE(
    "many endpoints: when all of them fail, the look at how many are ejected isn't one at all of them each time") {
  const auto fail = [](size_t count) {
    Bench bench;
    bench.settings.outlier_detection = OutlierSettings{.consecutive_5xx = 1, .max_ejection_percent = {1}};
    bench.settings.panic_threshold = {0};
    std::vector<EndpointSettings> list;
    for (const auto& spec : addresses(count)) list.push_back(bench.endpoint(spec.address.text()));
    bench.with(std::move(list));
    const auto set = bench.upstream->endpoints();
    for (const auto& endpoint : set->all())
      bench.upstream->outlier()->observe(*endpoint.state, Outcome::answered, 500, bench.loop.now());
    CHECK(std::ranges::all_of(set->all(), [](const Endpoint& e) { return e.state->health == Health::ejected; }));
  };
  CHECK(growth(2000, fail) < kNearLinear);
}

}  // namespace weir::upstream
