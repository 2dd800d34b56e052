// What every balancer promises, whatever its policy.

#include <algorithm>
#include <array>
#include <set>

#include "unit/upstream/bench.h"

namespace weir::upstream {
namespace {

struct Kind {
  const char* name;
  Balance balance;
};

std::vector<Kind> kinds() {
  return {{"round_robin", {Policy::round_robin}},
          {"least_connections", {Policy::least_connections}},
          {"random_two", {Policy::random_two}},
          {"peak_ewma", {Policy::peak_ewma}},
          {"ring", {Policy::ring}},
          {"rendezvous", {Policy::rendezvous}},
          {"maglev", {.policy = Policy::maglev, .maglev_size = 1021}},
          {"ring, bounded", {.policy = Policy::ring, .bounded_load = 1.25}},
          {"maglev, bounded", {.policy = Policy::maglev, .bounded_load = 1.25, .maglev_size = 1021}}};
}

template <class Promise>
void for_every_balancer(std::vector<uint32_t> weights, Promise promise) {
  for (const Kind& kind : kinds()) {
    CAPTURE(kind.name);
    Hosts hosts(weights);
    const auto balancer = make_balancer(kind.balance, hosts.endpoints);
    promise(hosts, *balancer);
  }
}

}  // namespace

TEST_CASE("balancer: a single endpoint gets everything") {
  for_every_balancer({1}, [](Hosts& hosts, const Balancer& balancer) { CHECK(hosts.tally(balancer, 20)[0] == 20); });
}

TEST_CASE("balancer: every endpoint gets its share of many requests") {
  for_every_balancer({1, 1, 1, 1, 1}, [](Hosts& hosts, const Balancer& balancer) {
    for (const int count : hosts.tally(balancer, 5000)) {
      CHECK(count > 600);
      CHECK(count < 1400);
    }
  });
}

TEST_CASE("balancer: an endpoint that is down gets nothing, and everything again when it is up") {
  for_every_balancer({1, 2, 3}, [](Hosts& hosts, const Balancer& balancer) {
    hosts[1].health = Health::down;
    CHECK(hosts.tally(balancer, 500)[1] == 0);
    hosts[1].health = Health::up;
    hosts[0].health = hosts[2].health = Health::ejected;
    CHECK(hosts.tally(balancer, 500)[1] == 500);
  });
}

TEST_CASE("balancer: a full endpoint is passed over") {
  for_every_balancer({1, 1, 1}, [](Hosts& hosts, const Balancer& balancer) {
    hosts.endpoints[2].max_requests = 1;
    hosts[2].active = 1;
    CHECK(hosts.tally(balancer, 300)[2] == 0);
  });
}

TEST_CASE("balancer: an endpoint already tried is passed over") {
  BlockPool pool(8192);
  for_every_balancer({1, 1, 1}, [&](Hosts& hosts, const Balancer& balancer) {
    Arena arena(pool);
    Attempts attempts(arena);
    attempts.add({.endpoint_id = hosts.endpoints[0].state.get()});
    attempts.add({.endpoint_id = hosts.endpoints[2].state.get()});
    for (uint64_t key = 0; key < 100; ++key) {
      Pick pick = hosts.pick(mix(key));
      pick.tried = &attempts;
      CHECK(balancer.choose(pick) == &hosts.endpoints[1]);
    }
  });
}

TEST_CASE("balancer: with nobody left there is nobody") {
  for_every_balancer({1, 5}, [](Hosts& hosts, const Balancer& balancer) {
    hosts[0].health = Health::down;
    hosts.endpoints[1].max_requests = 3;
    hosts[1].active = 3;
    CHECK(hosts.choose(balancer, 7) == nullptr);
  });
}

TEST_CASE("balancer: weights from 1 to a million do no harm") {
  for_every_balancer({1, 1000000}, [](Hosts& hosts, const Balancer& balancer) {
    CHECK(hosts.tally(balancer, 1000)[1] > 900);
    hosts[1].health = Health::down;
    CHECK(hosts.choose(balancer, 1) == &hosts.endpoints[0]);
  });
}

}  // namespace weir::upstream
