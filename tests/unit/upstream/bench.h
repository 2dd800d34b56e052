#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "unit/exchange_bench.h"
#include "upstream/balancer.h"
#include "upstream/upstream.h"

namespace weir::upstream {

inline net::Address address_of(size_t number) {
  return *net::Address::parse("10.0." + std::to_string(number / 256) + "." + std::to_string(number % 256) + ":80");
}

/// Endpoints 10.0.0.0:80, 10.0.0.1:80 … of these weights, and a thread's pick with chance from a seed.
struct Hosts {
  explicit Hosts(std::vector<uint32_t> weights) {
    for (const uint32_t weight : weights) {
      const auto index = static_cast<uint32_t>(endpoints.size());
      const auto address = address_of(index);
      endpoints.push_back(
          {.state = std::make_shared<EndpointState>(address.text(), address), .weight = weight, .index = index});
    }
  }
  Pick pick(uint64_t key = 0) { return {.turn = turn, .random = random, .now = now, .key = key}; }
  const Endpoint* choose(const Balancer& balancer, uint64_t key = 0) {
    Pick pick = this->pick(key);
    return balancer.choose(pick);
  }
  /// How often each is chosen in `picks` picks, by keys 0, 1, 2 …; nothing stays in flight.
  std::vector<int> tally(const Balancer& balancer, int picks) {
    std::vector<int> tally(endpoints.size());
    for (int i = 0; i < picks; ++i) ++tally[choose(balancer, mix(static_cast<uint64_t>(i)))->index];
    return tally;
  }
  EndpointState& operator[](size_t i) { return *endpoints[i].state; }

  std::vector<Endpoint> endpoints;
  std::atomic<uint64_t> turn{0};
  Random random{42};
  Time now = Time(std::chrono::hours(1));
};

/// An upstream of one snapshot, with a worker and an exchange to ask it.
struct Bench : ExchangeBench {
  static EndpointSettings endpoint(std::string text) {
    EndpointSettings settings;
    settings.parsed = *net::Address::parse(text);
    settings.address.value = std::move(text);
    return settings;
  }
  static EndpointSettings limited(std::string text, uint32_t max_requests) {
    auto settings = endpoint(std::move(text));
    settings.max_requests = max_requests;
    return settings;
  }
  Upstream& with(std::vector<EndpointSettings> endpoints) {
    if (upstream) retired.push_back(std::move(upstream));  // a reload: exchanges keep the snapshot that they began with
    settings.endpoints = std::move(endpoints);
    upstream = std::make_unique<Upstream>("api", 0, settings, states.find("api"), 1, loop.now());
    return *upstream;
  }
  EndpointLease lease() {
    auto lease = upstream->try_acquire(exchange);
    REQUIRE(lease.has_value());
    REQUIRE(lease->has_value());
    return std::move(**lease);
  }
  std::string next() { return lease().state().text; }
  void tried(const EndpointLease& lease) { exchange.attempts.add({.endpoint_id = &lease.state()}); }
  void advance(Duration by) {
    clock.advance(by);
    loop.poll();
    loop.fire_timers();
  }

  FilterMetrics states_metrics;
  UpstreamStates states{states_metrics};
  UpstreamSettings settings;
  std::vector<std::unique_ptr<Upstream>> retired;
  std::unique_ptr<Upstream> upstream;
};

/// A request that waits for a place.
struct Waiting {
  explicit Waiting(Bench& bench, Candidates among = Candidates::all, const EndpointState* tried = nullptr,
                   std::string_view client = "10.9.9.9")
      : arena(bench.blocks), exchange(arena, bench.worker, nullptr) {
    exchange.client.ip = client;
    if (tried) exchange.attempts.add({.endpoint_id = tried});
    task = bench.upstream->acquire(exchange, among);
    task.start();
  }
  bool is_done() const { return task.is_done(); }
  Result<EndpointLease> take() { return task.take(); }

  Arena arena;
  Exchange exchange;
  Task<Result<EndpointLease>> task;
};

}  // namespace weir::upstream
