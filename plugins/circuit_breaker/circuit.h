#pragma once

#include <memory>
#include <string>

#include "exchange/filter_metrics.h"
#include "plugins/circuit_breaker/settings.h"
#include "plugins/circuit_breaker/window.h"

namespace weir::plugins {

class Breaker;
class BreakerList;
class Peers;

/// A circuit as one snapshot has it: its thresholds, its name, and what it shares with the same circuit of other
/// snapshots. Kept by the gate; found by name in the list, and shown by it in the metrics, for as long as it lives.
class Circuit {
 public:
  struct Shared {
    std::shared_ptr<Breaker> breaker;
    std::shared_ptr<Peers> peers;  // null: other instances are none of its business
    std::shared_ptr<BreakerList> list;
  };
  /// `name`: as the admin API and the log have it ("api", "api/127.0.0.1:9001", "route/shop").
  static std::shared_ptr<const Circuit> make(BreakerSettings settings, std::string name, FilterMetrics::Labels labels,
                                             FilterMetrics& metrics, Shared shared);
  Circuit(const Circuit&) = delete;
  Circuit& operator=(const Circuit&) = delete;
  ~Circuit();

  const BreakerSettings& settings() const { return settings_; }
  const std::string& name() const { return name_; }
  /// As errors have it: "circuit api".
  const std::string& refuser() const { return refuser_; }
  Breaker& breaker() const { return *shared_.breaker; }
  Window& window() const { return *window_; }
  Peers* peers() const { return shared_.peers.get(); }
  SharedCount& rejected() const { return rejected_; }

  /// Has the list show the breaker's state.
  void refresh() const;
  /// Makes the gauge of one state 1 and those of the others 0; without a state, all are 0.
  void show(std::string_view state) const;
  void count_transition(std::string_view from, std::string_view to) const;

 private:
  Circuit(BreakerSettings settings, std::string name, FilterMetrics::Labels labels, FilterMetrics& metrics,
          Shared shared);

  const BreakerSettings settings_;
  const std::string name_;
  const std::string refuser_;
  const FilterMetrics::Labels labels_;
  FilterMetrics& metrics_;
  const FilterMetrics::Hold held_;
  SharedCount& rejected_;
  const Shared shared_;
  const std::shared_ptr<Window> window_;
};

/// The label of endpoints that came while an upstream had enough labels.
inline constexpr std::string_view kOtherEndpoints = "other";

/// Names of circuits, no two of which are the same: an upstream called "route/shop" is "route%2Fshop", and the route
/// "shop" is "route/shop".
std::string upstream_circuit(std::string_view upstream);
std::string endpoint_circuit(std::string_view upstream, std::string_view endpoint);
std::string route_circuit(std::string_view route);

}  // namespace weir::plugins
