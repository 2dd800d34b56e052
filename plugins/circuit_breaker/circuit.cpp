#include "plugins/circuit_breaker/circuit.h"

#include <algorithm>
#include <array>

#include "plugins/circuit_breaker/breaker.h"
#include "plugins/circuit_breaker/breaker_list.h"

namespace weir::plugins {

namespace {

constexpr std::string_view kRoute = "route";

constexpr const char* kRejected = "circuit_breaker_rejected";
constexpr const char* kState = "circuit_breaker_state";
constexpr const char* kTransitions = "circuit_breaker_transitions";

FilterMetrics::Labels with(FilterMetrics::Labels labels, std::string name, std::string_view value) {
  labels.emplace_back(std::move(name), value);
  return labels;
}

/// Without a slash, and never "route".
std::string part_of(std::string_view upstream) {
  if (upstream == kRoute) return "%72oute";
  std::string text;
  for (const char c : upstream) {
    if (c == '/') text += "%2F";
    else if (c == '%') text += "%25";
    else text += c;
  }
  return text;
}

}  // namespace

std::shared_ptr<const Circuit> Circuit::make(BreakerSettings settings, std::string name, FilterMetrics::Labels labels,
                                             FilterMetrics& metrics, Shared shared) {
  const std::shared_ptr<const Circuit> made(
      new Circuit(std::move(settings), std::move(name), std::move(labels), metrics, std::move(shared)));
  made->breaker().attach(*made);
  made->shared_.list->add(made);
  return made;
}

Circuit::Circuit(BreakerSettings settings, std::string name, FilterMetrics::Labels labels, FilterMetrics& metrics,
                 Shared shared)
    : settings_(std::move(settings)),
      name_(std::move(name)),
      refuser_("circuit " + name_),
      labels_(std::move(labels)),
      metrics_(metrics),
      held_(metrics.hold({{kRejected, labels_}, {kState, labels_}, {kTransitions, labels_}})),
      rejected_(metrics.counter(kRejected, "Attempts that an open circuit refused", labels_)),
      shared_(std::move(shared)),
      window_(shared_.breaker->window_of(settings_.window)) {}

Circuit::~Circuit() {
  breaker().detach(*this);
  shared_.list->drop(*this);
}

void Circuit::refresh() const { shared_.list->show(*this); }

/// Circuits that share their labels with others show no state: it would be that of the last one.
void Circuit::show(std::string_view state) const {
  const auto is_shared = [](const auto& label) { return label.first == "endpoint" && label.second == kOtherEndpoints; };
  if (std::ranges::any_of(labels_, is_shared)) return;
  for (const std::string_view one : {"open", "half_open", "closed"}) {
    metrics_.gauge(kState, "1 for the state that a circuit breaker is in", with(labels_, "state", one))
        .set(one == state ? 1 : 0);
  }
}

void Circuit::count_transition(std::string_view from, std::string_view to) const {
  metrics_.counter(kTransitions, "Changes of a circuit breaker's state", with(with(labels_, "from", from), "to", to))
      .add();
}

std::string upstream_circuit(std::string_view upstream) { return part_of(upstream); }

std::string endpoint_circuit(std::string_view upstream, std::string_view endpoint) {
  return part_of(upstream).append("/").append(endpoint);
}

std::string route_circuit(std::string_view route) { return std::string(kRoute).append("/").append(route); }

}  // namespace weir::plugins
