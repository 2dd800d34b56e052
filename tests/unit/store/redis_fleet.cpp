#include <doctest/doctest.h>

#include <deque>
#include <set>

#include "store/redis_slots.h"
#include "unit/store/redis_bench.h"

using namespace weir;
using namespace weir::store;
using namespace std::chrono_literals;
using Tcp = RedisServer::Tcp;

namespace {

/// Something that another process does in its own time.
template <class Condition>
bool in_time(Condition is_so) {
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

/// Three masters of a real Redis Cluster.
struct Cluster {
  std::deque<RedisServer> nodes;

  Cluster() {
    const RedisServer::Words options{"--cluster-enabled",
                                     "yes",
                                     "--cluster-config-file",
                                     "nodes.conf",
                                     "--cluster-node-timeout",
                                     "2000",
                                     "--cluster-require-full-coverage",
                                     "no",
                                     "--cluster-allow-reads-when-down",
                                     "no"};
    for (int i = 0; i < 3; ++i) {
      auto own = options;
      own.insert(own.end(), {"--cluster-port", std::to_string(free_port())});
      bus_.push_back(own.back());
      nodes.emplace_back(own, Tcp::yes, RedisServer::Clock::real);
    }
    const char* ranges[] = {"0 5460", "5461 10922", "10923 16383"};
    for (int i = 0; i < 3; ++i) {
      nodes[i].say(std::string("CLUSTER ADDSLOTSRANGE ") + ranges[i]);
      nodes[i].say("CLUSTER SET-CONFIG-EPOCH " + std::to_string(i + 1));
    }
    for (int i = 1; i < 3; ++i)
      nodes[0].say("CLUSTER MEET 127.0.0.1 " + std::to_string(nodes[i].port()) + " " + bus_[i]);
    for (auto& node : nodes) {
      REQUIRE(in_time([&] {
        const auto told = node.say("CLUSTER INFO");
        return told.contains("cluster_state:ok") && told.contains("cluster_slots_assigned:16384") &&
               told.contains("cluster_known_nodes:3");
      }));
    }
  }
  RedisSettings settings() const {
    auto settings = RedisWorker::settings(nodes[0].tcp_address());
    settings.is_cluster = true;
    return settings;
  }
  std::string id(int node) {
    const auto told = nodes[node].say("CLUSTER MYID");
    return told.substr(told.find('\n') + 1, 40);
  }

 private:
  std::vector<std::string> bus_;
};

/// A key whose value is kept on a node that has these slots.
std::string key_in(int first, int last) {
  for (int i = 0;; ++i) {
    const auto key = "k" + std::to_string(i);
    const int slot = slot_of("weir:v:" + key);
    if (slot >= first && slot <= last) return key;
  }
}

}  // namespace

TEST_CASE("redis cluster: keys are found on the nodes that have them, and limits of one key are taken together") {
  Cluster cluster;
  RedisWorker worker(cluster.settings());
  for (int i = 0; i < 60; ++i) {
    const auto key = "key" + std::to_string(i);
    REQUIRE(worker.put(key, key));
    REQUIRE(worker.get(key)->value() == key);
    const Limit narrow{"narrow", Limit::Algorithm::gcra, 1, 1h, 1};
    const Limit wide{"wide", Limit::Algorithm::fixed_window, 10, 1h};
    const Take both[] = {{narrow, key}, {wide, key}};
    REQUIRE(worker.finish(worker.store->take(worker.caller(), both))->allowed);
  }
  for (auto& node : cluster.nodes) CHECK_FALSE(node.say("DBSIZE").starts_with(":0"));
  CHECK(worker.observer.of(StoreObserver::Outcome::failed) == 0);
}

TEST_CASE("redis cluster: limits of other keys are taken together when they name a slot") {
  Cluster cluster;
  RedisWorker worker(cluster.settings());
  const Limit by_ip{.name = "ip", .per = 1h, .burst = 5, .slot = "login"};
  const Limit by_user{.name = "user", .per = 1h, .burst = 5, .slot = "login"};
  const Take both[] = {{by_ip, "10.0.0.1"}, {by_user, "ann"}};
  CHECK(worker.finish(worker.store->take(worker.caller(), both))->allowed);
}

TEST_CASE("redis cluster: a slot on the move, and moved, is followed") {
  Cluster cluster;
  RedisWorker worker(cluster.settings());
  const auto key = key_in(0, 5460);
  const auto slot = std::to_string(slot_of("weir:v:" + key));
  REQUIRE(worker.put("warm", "up"));
  cluster.nodes[1].say("CLUSTER SETSLOT " + slot + " IMPORTING " + cluster.id(0));
  cluster.nodes[0].say("CLUSTER SETSLOT " + slot + " MIGRATING " + cluster.id(1));
  REQUIRE(worker.put(key, "asked"));  // ASK: the key isn't on the old node any more
  CHECK(worker.get(key)->value() == "asked");
  for (int node : {1, 0, 2}) cluster.nodes[node].say("CLUSTER SETSLOT " + slot + " NODE " + cluster.id(1));
  CHECK(worker.get(key)->value() == "asked");  // MOVED
  CHECK(worker.observer.of(StoreObserver::Outcome::failed) == 0);
}

TEST_CASE("redis cluster: a node that is gone takes its keys along, and no others; then it is found again") {
  Cluster cluster;
  auto settings = cluster.settings();
  settings.timeout = 200ms;
  RedisWorker worker(settings);
  const auto lost = key_in(5461, 10922);
  const auto kept = key_in(10923, 16383);
  REQUIRE(worker.put(lost, "x"));
  REQUIRE(worker.put(kept, "y"));
  cluster.nodes[1].kill();
  for (int i = 0; i < 20; ++i) CHECK_FALSE(worker.get(lost).has_value());
  for (int i = 0; i < 20; ++i) CHECK(worker.get(kept)->value() == "y");
  CHECK(worker.shared->health.state() == StoreState::degraded);
  cluster.nodes[1].start();
  CHECK(worker.until([&] { return worker.get(lost).has_value(); }));
}

TEST_CASE("redis sentinel: the master is found, and followed when it fails over") {
  RedisServer first({}, Tcp::yes, RedisServer::Clock::real);
  RedisServer second({"--replicaof", "127.0.0.1 " + std::to_string(first.port())}, Tcp::yes, RedisServer::Clock::real);
  REQUIRE(in_time([&] { return second.say("INFO replication").contains("master_link_status:up"); }));
  RedisServer sentinel(RedisServer::Sentinel{.master = "mymaster", .port = first.port()});
  REQUIRE(in_time([&] { return sentinel.say("SENTINEL replicas mymaster").contains(std::to_string(second.port())); }));

  RedisSettings settings = RedisWorker::settings(sentinel.tcp_address(), 200ms);
  settings.sentinel_master = "mymaster";
  RedisWorker worker(settings);
  REQUIRE(worker.until([&] { return worker.put("k", "v").has_value(); }));
  CHECK(first.say("DBSIZE") == ":1\r\n");

  SUBCASE("since it was killed") { first.kill(); }
  SUBCASE("since it hangs") { first.stop_turning(); }
  REQUIRE(worker.until([&] { return worker.put("after", "failover").has_value(); }));
  CHECK(second.say("INFO replication").contains("role:master"));
  CHECK(second.say("EXISTS weir:v:after") == ":1\r\n");
}
