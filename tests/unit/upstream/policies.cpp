#include <cmath>
#include <deque>

#include "unit/upstream/bench.h"

namespace weir::upstream {
namespace {

std::string letters(Hosts& hosts, const Balancer& balancer, int picks) {
  std::string chosen;
  for (int i = 0; i < picks; ++i) chosen += static_cast<char>('A' + hosts.choose(balancer)->index);
  return chosen;
}

/// The share of keys that go elsewhere, among those that needn't, when the last of `count` endpoints goes.
double needless_moves(const Balance& balance, size_t count) {
  Hosts all(std::vector<uint32_t>(count, 1));
  Hosts fewer(std::vector<uint32_t>(count - 1, 1));
  const auto before = make_balancer(balance, all.endpoints);
  const auto after = make_balancer(balance, fewer.endpoints);
  int moved = 0;
  constexpr int kKeys = 5000;
  for (uint64_t key = 0; key < kKeys; ++key) {
    const auto* had = all.choose(*before, mix(key));
    const auto* has = fewer.choose(*after, mix(key));
    moved += had->index != count - 1 && had->index != has->index ? 1 : 0;
  }
  return static_cast<double>(moved) / kKeys;
}

const std::vector<Balance> kHashes{{Policy::ring}, {Policy::rendezvous}, {Policy::maglev}};

}  // namespace

TEST_CASE("round_robin: the heavy endpoint's turns are spread over the round") {
  Hosts hosts({5, 1, 1});
  const auto balancer = make_balancer({Policy::round_robin}, hosts.endpoints);
  CHECK(letters(hosts, *balancer, 14) == "AABACAAAABACAA");
}

TEST_CASE("round_robin: weights are exact over each round, reduced to their lowest terms") {
  Hosts hosts({300, 200, 100});
  const auto balancer = make_balancer({Policy::round_robin}, hosts.endpoints);
  CHECK(hosts.tally(*balancer, 6) == std::vector{3, 2, 1});
}

TEST_CASE("round_robin: without one of three the other two share alike") {
  Hosts hosts({1, 1, 1});
  const auto balancer = make_balancer({Policy::round_robin}, hosts.endpoints);
  hosts[1].health = Health::down;
  CHECK(letters(hosts, *balancer, 6) == "ACACAC");
}

TEST_CASE("least_connections: the least loaded for its weight is next") {
  Hosts hosts({1, 4, 1});
  const auto balancer = make_balancer({Policy::least_connections}, hosts.endpoints);
  hosts[0].active = 1;
  hosts[1].active = 2;
  hosts[2].active = 2;
  CHECK(hosts.choose(*balancer)->index == 1);
}

TEST_CASE("least_connections: idle endpoints take turns") {
  Hosts hosts({1, 1, 1});
  const auto balancer = make_balancer({Policy::least_connections}, hosts.endpoints);
  CHECK(hosts.tally(*balancer, 300) == std::vector{100, 100, 100});
}

TEST_CASE("least_connections: idle endpoints take turns by weight") {
  Hosts hosts({3, 1});
  const auto balancer = make_balancer({Policy::least_connections}, hosts.endpoints);
  CHECK(hosts.tally(*balancer, 400) == std::vector{300, 100});
}

TEST_CASE("balancers: an endpoint that fails at once gets no more than its share") {
  for (const Policy policy : {Policy::least_connections, Policy::random_two, Policy::peak_ewma}) {
    CAPTURE(static_cast<int>(policy));
    Hosts hosts({1, 1, 1, 1});
    const auto balancer = make_balancer({policy}, hosts.endpoints);
    std::vector<int> tally(4);
    std::deque<std::pair<int, const Endpoint*>> under_way;
    for (int now = 0; now < 8000; ++now) {
      while (!under_way.empty() && under_way.front().first <= now) {
        --under_way.front().second->state->active;
        under_way.pop_front();
      }
      const Endpoint* chosen = hosts.choose(*balancer);
      ++tally[chosen->index];
      const bool fails = chosen->index == 0;
      chosen->state->failing.observe(fails);
      if (fails) continue;  // at once; a response of the others takes as long as 40 requests
      chosen->state->latency.observe(std::chrono::milliseconds(40), hosts.now);
      ++chosen->state->active;
      under_way.emplace_back(now + 40, chosen);
    }
    CHECK(tally[0] <= 8000 * 0.27);
    CHECK(tally[0] >= 8000 * 0.05);
  }
}

TEST_CASE("random_two: idle endpoints get what their weights say") {
  Hosts hosts({3, 1});
  const auto balancer = make_balancer({Policy::random_two}, hosts.endpoints);
  const auto tally = hosts.tally(*balancer, 10000);
  CHECK(tally[0] == doctest::Approx(7500).epsilon(0.05));
}

TEST_CASE("random_two: of two the busier one is left alone") {
  Hosts hosts({1, 1});
  const auto balancer = make_balancer({Policy::random_two}, hosts.endpoints);
  hosts[0].active = 1;
  CHECK(hosts.tally(*balancer, 100)[0] == 0);
}

TEST_CASE("peak_ewma: the quicker of two is chosen, until it is busy enough") {
  Hosts hosts({1, 1});
  const auto balancer = make_balancer({Policy::peak_ewma}, hosts.endpoints);
  hosts[0].latency.observe(std::chrono::milliseconds(10), hosts.now);
  hosts[1].latency.observe(std::chrono::milliseconds(1), hosts.now);
  CHECK(hosts.choose(*balancer)->index == 1);
  hosts[1].active = 10;
  CHECK(hosts.choose(*balancer)->index == 0);
}

TEST_CASE("peak_ewma: an endpoint never measured gets one request, not all") {
  Hosts hosts({1, 1});
  const auto balancer = make_balancer({Policy::peak_ewma}, hosts.endpoints);
  hosts[0].latency.observe(std::chrono::milliseconds(50), hosts.now);
  CHECK(hosts.choose(*balancer)->index == 1);
  hosts[1].active = 1;
  CHECK(hosts.choose(*balancer)->index == 0);
}

TEST_CASE("latency: a peak counts at once and fades over ten seconds") {
  Latency latency;
  Time now = Time(std::chrono::hours(1));
  latency.observe(std::chrono::milliseconds(10), now);
  latency.observe(std::chrono::milliseconds(100), now);
  CHECK(latency.at(now) == doctest::Approx(100e6));
  now += std::chrono::seconds(10);
  CHECK(latency.at(now) == doctest::Approx(100e6 * std::exp(-1)));
  latency.observe(std::chrono::milliseconds(10), now);
  CHECK(latency.at(now) == doctest::Approx(100e6 * std::exp(-1) + 10e6 * (1 - std::exp(-1))));
}

TEST_CASE("hash: a key keeps its endpoint") {
  for (const auto& balance : kHashes) {
    Hosts hosts({1, 1, 1, 1});
    const auto balancer = make_balancer(balance, hosts.endpoints);
    const auto* first = hosts.choose(*balancer, 99);
    for (int i = 0; i < 10; ++i) CHECK(hosts.choose(*balancer, 99) == first);
  }
}

TEST_CASE("hash: keys are spread as the weights say") {
  for (const auto& balance : kHashes) {
    Hosts hosts({1, 3});
    const auto balancer = make_balancer(balance, hosts.endpoints);
    CHECK(hosts.tally(*balancer, 10000)[1] == doctest::Approx(7500).epsilon(0.1));
  }
}

TEST_CASE("hash: an endpoint that goes takes its own keys along and few others") {
  CHECK(needless_moves({Policy::ring}, 10) == 0);
  CHECK(needless_moves({Policy::rendezvous}, 10) == 0);
  CHECK(needless_moves({Policy::maglev}, 10) < 0.1);
}

TEST_CASE("hash: one endpoint more or less moves its own keys, in a pool of any size") {
  constexpr int kKeys = 40'000;
  const auto homes = [](size_t count) {
    Hosts hosts(std::vector<uint32_t>(count, 1));
    const auto balancer = make_balancer({Policy::rendezvous}, hosts.endpoints);
    std::vector<uint32_t> homes;
    for (int i = 0; i < kKeys; ++i) homes.push_back(hosts.choose(*balancer, mix(static_cast<uint64_t>(i)))->index);
    return homes;
  };
  for (const size_t count : {2, 3, 5, 10, 99, 100, 101, 102, 150, 300}) {
    CAPTURE(count);
    const auto before = homes(count - 1);
    const auto after = homes(count);
    int moved = 0;
    for (int i = 0; i < kKeys; ++i) moved += before[i] != after[i];
    CHECK(moved <= 1.3 * kKeys / static_cast<double>(count));
  }
}

TEST_CASE(
    "ring: a weight that changes moves keys in proportion, and an endpoint that joins moves none between others") {
  constexpr int kKeys = 20'000;
  const auto homes = [](std::vector<uint32_t> weights) {
    Hosts hosts(std::move(weights));
    const auto balancer = make_balancer({Policy::ring}, hosts.endpoints);
    std::vector<uint32_t> homes;
    for (int i = 0; i < kKeys; ++i) homes.push_back(hosts.choose(*balancer, mix(static_cast<uint64_t>(i)))->index);
    return homes;
  };
  const auto before = homes({1, 1, 1});
  const auto joined = homes({1, 1, 1, 1});
  const auto heavier = homes({1, 1, 2});
  int moved_to_others = 0;
  int moved_by_weight = 0;
  for (int i = 0; i < kKeys; ++i) {
    moved_to_others += joined[i] != before[i] && joined[i] != 3;
    moved_by_weight += heavier[i] != before[i];
    if (heavier[i] != before[i]) CHECK(heavier[i] == 2);
  }
  CHECK(moved_to_others == 0);
  CHECK(moved_by_weight == doctest::Approx(kKeys * (0.5 - 1.0 / 3)).epsilon(0.25));
}

TEST_CASE("hash: keys of a sick endpoint come home when it is well") {
  for (const auto& balance : kHashes) {
    Hosts hosts({1, 1, 1});
    const auto balancer = make_balancer(balance, hosts.endpoints);
    const auto* home = hosts.choose(*balancer, 5);
    home->state->health = Health::down;
    const auto* refuge = hosts.choose(*balancer, 5);
    CHECK(refuge != home);
    CHECK(hosts.choose(*balancer, 5) == refuge);
    home->state->health = Health::up;
    CHECK(hosts.choose(*balancer, 5) == home);
  }
}

TEST_CASE("hash: the order in the file plays no part") {
  for (const auto& balance : kHashes) {
    Hosts hosts({1, 2, 3, 4});
    std::vector<Endpoint> reversed(hosts.endpoints.rbegin(), hosts.endpoints.rend());
    const auto one = make_balancer(balance, hosts.endpoints);
    const auto other = make_balancer(balance, reversed);
    for (uint64_t key = 0; key < 200; ++key) {
      CHECK(hosts.choose(*one, mix(key))->state == hosts.choose(*other, mix(key))->state);
    }
  }
}

TEST_CASE("bounded_load: one hot key fills no endpoint above its bound") {
  Hosts hosts({1, 1, 1, 1});
  const auto balancer = make_balancer({.policy = Policy::ring, .bounded_load = 1.25}, hosts.endpoints);
  for (int i = 0; i < 100; ++i) ++hosts.choose(*balancer, 7)->state->active;
  for (const auto& endpoint : hosts.endpoints) CHECK(endpoint.state->active <= 32);  // ceil(1.25 * 100 / 4)
}

TEST_CASE("bounded_load: the bound of an endpoint is its share by weight") {
  Hosts hosts({1, 3});
  const auto balancer = make_balancer({.policy = Policy::ring, .bounded_load = 1.25}, hosts.endpoints);
  for (int i = 0; i < 100; ++i) ++hosts.choose(*balancer, 7)->state->active;
  CHECK(hosts[0].active <= 32);  // ceil(1.25 * 100 * 1 / 4)
  CHECK(hosts[1].active <= 94);  // ceil(1.25 * 100 * 3 / 4)
  for (uint64_t key = 0; key < 300; ++key) ++hosts.choose(*balancer, mix(key))->state->active;
  CHECK(hosts[0].active <= 125);
  CHECK(hosts[1].active >= 275);
}

TEST_CASE("bounded_load: where no endpoint of the key is below its bound, the idlest for its weight is next") {
  Hosts hosts({1, 4});
  const auto balancer = make_balancer({.policy = Policy::ring, .bounded_load = 1.0}, hosts.endpoints);
  hosts[0].active = 5;
  hosts[1].active = 10;
  for (uint64_t key = 0; key < 20; ++key) CHECK(hosts.choose(*balancer, mix(key))->index == 1);
}

TEST_CASE("slow_start: with an aggression of 2 the weight grows with the root of the time") {
  Hosts hosts({1});
  const SlowStart slow{.window = std::chrono::seconds(100), .aggression = 2};
  hosts[0].up_since = hosts.now;
  Pick pick = hosts.pick();
  pick.slow_start = &slow;
  pick.now = hosts.now + std::chrono::seconds(25);
  CHECK(pick.share(hosts.endpoints[0]) == doctest::Approx(0.5));
  pick.now = hosts.now + std::chrono::seconds(81);
  CHECK(pick.share(hosts.endpoints[0]) == doctest::Approx(0.9));
}

TEST_CASE("slow_start: the weight grows from the minimum to all of it") {
  Hosts hosts({1, 1});
  const SlowStart slow{.window = std::chrono::seconds(100)};
  hosts[0].up_since = hosts.now;
  Pick pick = hosts.pick();
  pick.slow_start = &slow;
  const auto after = [&](int seconds) {
    pick.now = hosts.now + std::chrono::seconds(seconds);
    return pick.share(hosts.endpoints[0]);
  };
  CHECK(after(0) == doctest::Approx(0.1));
  CHECK(after(50) == doctest::Approx(0.5));
  CHECK(after(100) == 1);
  CHECK(pick.share(hosts.endpoints[1]) == 1);
}

TEST_CASE("slow_start: round_robin gives a new endpoint a part of its turns") {
  Hosts hosts({1, 1});
  const SlowStart slow{.window = std::chrono::seconds(100)};
  const auto balancer = make_balancer({Policy::round_robin}, hosts.endpoints);
  hosts[0].up_since = hosts.now - std::chrono::seconds(25);
  int chosen = 0;
  for (int i = 0; i < 10000; ++i) {
    Pick pick = hosts.pick();
    pick.slow_start = &slow;
    chosen += balancer->choose(pick)->index == 0 ? 1 : 0;
  }
  CHECK(chosen == doctest::Approx(2000).epsilon(0.1));  // 0.25 of 1.25
}

}  // namespace weir::upstream
