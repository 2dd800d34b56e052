#include <map>

#include "observe/gather.h"

namespace weir::observe {

namespace {

constexpr size_t kEndpointLabels = 200;  // above this many the label would cost the scraper too much

/// Endpoint samples under the labels that they are shown with, added up where those are the same.
std::map<MetricLabels, EndpointSample> labelled(const std::vector<EndpointSample>& endpoints) {
  const bool with_label = endpoints.size() <= kEndpointLabels;
  std::map<MetricLabels, EndpointSample> labelled;
  for (const auto& endpoint : endpoints) {
    MetricLabels labels{{"upstream", endpoint.upstream}};
    if (with_label) labels.emplace_back("endpoint", endpoint.endpoint);
    auto [found, is_new] = labelled.try_emplace(std::move(labels), endpoint);
    if (is_new) continue;
    found->second.active += endpoint.active;
    found->second.connections += endpoint.connections;
    found->second.requests += endpoint.requests;
    found->second.failures += endpoint.failures;
    found->second.up &= endpoint.up;
  }
  return labelled;
}

constexpr std::string_view kHealths[] = {"up", "degraded", "ejected", "down", "checking", "draining"};

/// How many endpoints under the same labels are in each state: 0 or 1, where each has labels of its own.
void gather_health(const std::vector<EndpointSample>& endpoints, Families& families) {
  const bool with_label = endpoints.size() <= kEndpointLabels;
  std::map<MetricLabels, int> counts;
  for (const auto& endpoint : endpoints) {
    for (const auto health : kHealths) {
      MetricLabels labels{{"upstream", endpoint.upstream}};
      if (with_label) labels.emplace_back("endpoint", endpoint.endpoint);
      labels.emplace_back("state", health);
      counts[std::move(labels)] += endpoint.health == health;
    }
  }
  for (const auto& [labels, count] : counts) {
    families.gauge("endpoint_health", "1 for the state that the endpoint is in", labels, count);
  }
}

}  // namespace

void gather_endpoints(const std::vector<EndpointSample>& endpoints, Families& families) {
  std::map<std::string, std::pair<int, int>> counts;  // up, all
  for (const auto& endpoint : endpoints) {
    counts[endpoint.upstream].first += endpoint.up;
    counts[endpoint.upstream].second += 1;
  }
  for (const auto& [name, count] : counts) {
    families.gauge("upstream_endpoints", "Endpoints of an upstream", {{"upstream", name}}, count.second);
  }
  for (const auto& [name, count] : counts) {
    families.gauge("upstream_endpoints_up", "Endpoints that take requests", {{"upstream", name}}, count.first);
  }
  const auto samples = labelled(endpoints);
  for (const auto& [labels, sample] : samples) {
    families.gauge("endpoint_up", "1 while the endpoint takes requests", labels, sample.up);
  }
  gather_health(endpoints, families);
  for (const auto& [labels, sample] : samples) {
    families.gauge("endpoint_active_requests", "Attempts under way", labels, static_cast<double>(sample.active));
  }
  for (const auto& [labels, sample] : samples) {
    families.gauge("endpoint_connections", "Connections open", labels, static_cast<double>(sample.connections));
  }
  for (const auto& [labels, sample] : samples) {
    families.counter("endpoint_requests", "Attempts made", labels, static_cast<double>(sample.requests));
  }
  for (const auto& [labels, sample] : samples) {
    families.counter("endpoint_failures", "Attempts that failed", labels, static_cast<double>(sample.failures));
  }
}

}  // namespace weir::observe
