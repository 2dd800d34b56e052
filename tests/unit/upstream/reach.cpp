#include "upstream/reach.h"

#include <bit>
#include <map>

#include "unit/upstream/bench.h"

namespace weir::upstream {
namespace {

/// So many primaries and backups, in these states.
struct Pool : Bench {
  Pool(std::vector<Health> primaries, std::vector<Health> backups = {}, double panic = 0.5, double factor = 0) {
    settings.panic_threshold = {panic};
    settings.overprovisioning = factor;
    std::vector<EndpointSettings> endpoints;
    for (const auto* group : {&primaries, &backups}) {
      for (size_t i = 0; i < group->size(); ++i) {
        endpoints.push_back(endpoint((group == &backups ? "10.0.1." : "10.0.0.") + std::to_string(i) + ":80"));
        endpoints.back().is_backup = group == &backups;
      }
    }
    with(std::move(endpoints));
    size_t i = 0;
    for (const auto* group : {&primaries, &backups}) {
      for (const Health health : *group) say(i++, health);
    }
  }
  void say(size_t endpoint, Health health) {
    upstream->state().health.judge(*upstream->endpoints()->all()[endpoint].state, Judge::check, health, "", loop.now());
  }
  Reach reach() { return upstream->endpoints()->reach(); }
  std::string reached() {
    std::map<std::string, int> counts;
    for (int i = 0; i < 60; ++i) ++counts[next()];
    std::string text;
    for (const auto& [address, count] : counts) text += address.substr(5, 3) + " ";
    return text;
  }
  bool has_none() {
    const auto lease = upstream->try_acquire(exchange);
    return lease && !*lease && lease->error().code == ErrorCode::no_endpoint;
  }
  int64_t panics() { return states_metrics.gauge("upstream_panic", "", {{"upstream", "api"}}).value(); }
};

constexpr auto up = Health::up;
constexpr auto degraded = Health::degraded;
constexpr auto ejected = Health::ejected;
constexpr auto down = Health::down;
constexpr auto checking = Health::checking;
constexpr auto draining = Health::draining;

}  // namespace

TEST_CASE("reach: what is down, ejected, new or draining gets nothing") {
  CHECK(Pool({up, up, up, up, up, down, ejected, checking, draining}).reached() == "0.0 0.1 0.2 0.3 0.4 ");
}

TEST_CASE("reach: a degraded endpoint serves when no other is up") {
  CHECK(Pool({up, degraded}).reached() == "0.0 ");
  CHECK(Pool({down, degraded}).reached() == "0.1 ");
  CHECK(Pool({degraded}, {up}).reached() == "1.0 ");
  CHECK(Pool({degraded}, {degraded}).reached() == "0.0 ");
}

TEST_CASE("reach: with less than half healthy all are used, but for those that are draining or new") {
  Pool pool({up, down, ejected, checking, draining});
  CHECK(pool.reach().is_panic);
  CHECK(pool.reached() == "0.0 0.1 0.2 ");
  CHECK(pool.panics() == 1);
}

TEST_CASE("reach: half is enough, and a recovery ends the panic") {
  Pool pool({up, down});
  CHECK_FALSE(pool.reach().is_panic);
  CHECK(pool.reached() == "0.0 ");
  pool.say(0, down);
  CHECK(pool.reach().is_panic);
  CHECK(pool.reached() == "0.0 0.1 ");
  pool.say(1, up);
  CHECK_FALSE(pool.reach().is_panic);
  CHECK(pool.panics() == 0);
}

TEST_CASE("reach: what an operator drains doesn't count against the others") {
  CHECK_FALSE(Pool({up, draining, draining, draining}).reach().is_panic);
  CHECK(Pool({draining, draining}).has_none());
}

TEST_CASE("reach: without a threshold, endpoints that are down are used when no other is left, and no sooner") {
  CHECK(Pool({up, down, down, ejected}, {}, 0).reached() == "0.0 ");
  CHECK(Pool({down, ejected, draining}, {}, 0).reached() == "0.0 0.1 ");
  CHECK(Pool({down, down}, {down, up}, 0).reached() == "1.1 ");
}

TEST_CASE("reach: an upstream that must not panic fails fast") {
  Pool pool({down, ejected}, {}, 0);
  pool.settings.panic = Panic::never;
  pool.with(pool.settings.endpoints);
  CHECK_FALSE(pool.reach().is_panic);
  CHECK(pool.has_none());
}

TEST_CASE("reach: a backup that is up spares a panic") {
  CHECK(Pool({down, down, down}, {up}).reached() == "1.0 ");
  CHECK(Pool({up, down, down}, {up}).reached() == "0.0 ");
  CHECK(Pool({down}, {down}).reach().is_panic);
}

TEST_CASE("reach: with overprovisioning, backups get what the primaries can't bear") {
  CHECK(Pool({up, up, up, down}, {up}, 0.5, 1.4).reach().primary_share == Reach::kWhole);
  const Pool half({up, down}, {up}, 0.5, 1.4);
  const auto reach = half.upstream->endpoints()->reach();
  CHECK(reach.primary_share == 700);
  CHECK(Pool({up, down}, {up}, 0.5, 1.4).reached() == "0.0 1.0 ");
  CHECK(Pool({up, down}, {down}, 0.5, 1.4).reached() == "0.0 ");
}

TEST_CASE("reach: it is packed without loss") {
  const Reach reach{down, degraded, 700, true};
  const Reach same = Reach::unpacked(reach.packed());
  CHECK(same.primaries == down);
  CHECK(same.backups == degraded);
  CHECK(same.primary_share == 700);
  CHECK(same.is_panic);
  CHECK(std::bit_width(reach.packed()) <= Reach::kBits);
}

}  // namespace weir::upstream
