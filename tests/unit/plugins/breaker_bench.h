#pragma once

#include <doctest/doctest.h>

#include "base/log.h"
#include "plugins/circuit_breaker/breaker.h"
#include "plugins/circuit_breaker/breaker_list.h"

namespace weir::plugins {

using namespace std::chrono_literals;

/// A circuit, its thresholds, which are fixed by its first use, and a clock in the test's hand.
struct CircuitBench {
  CircuitBench() { log::set_level(log::Level::error); }

  FilterMetrics metrics;
  BreakerSettings settings{.min_requests = 10,
                           .window = 10s,
                           .open = 5s,
                           .max_open = 60s,
                           .half_open_requests = 3,
                           .half_open_successes = 3};
  Time now = Time(1h);
  std::shared_ptr<BreakerList> list = std::make_shared<BreakerList>(BreakerList::Settings{});
  std::shared_ptr<Breaker> shared = std::make_shared<Breaker>(Breaker::Settings{"api"});
  Breaker& breaker = *shared;
  std::shared_ptr<const Circuit> made;

  const Circuit& circuit() {
    if (!made) made = another("api");
    return *made;
  }
  /// What a reload makes of it.
  std::shared_ptr<const Circuit> another(std::string name) {
    return Circuit::make(settings, std::move(name), {{"upstream", "api"}}, metrics, {.breaker = shared, .list = list});
  }
  Result<uint64_t> admit() { return breaker.admit(circuit(), now); }
  bool settle(uint64_t ticket, Verdict verdict) { return breaker.settle(circuit(), ticket, verdict, now); }
  void spoil(uint64_t ticket) { breaker.spoil(circuit(), ticket, now); }
  void attempts(int count, Verdict verdict) {
    for (int i = 0; i < count; ++i) {
      const auto ticket = admit();
      REQUIRE(ticket);
      settle(*ticket, verdict);
    }
  }
  void trip() { attempts(10, Verdict::failure); }
  /// Past the longest that an opening lasts, jitter included.
  void wait_for_probes() { now += 61s; }
  Breaker::State state() const { return breaker.status(now).state; }
  std::string cause() const { return breaker.status(now).cause; }

  int64_t count(const std::string& family, FilterMetrics::Labels labels) {
    labels.insert(labels.begin(), {"upstream", "api"});
    return metrics.counter(family, "", labels).value();
  }
  int64_t shown(const std::string& state) { return count("circuit_breaker_state", {{"state", state}}); }
  int64_t changes(const std::string& from, const std::string& to) {
    return count("circuit_breaker_transitions", {{"from", from}, {"to", to}});
  }
};

}  // namespace weir::plugins
