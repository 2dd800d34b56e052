#include <array>

#include "observe/gather.h"

namespace weir::observe {

namespace {

constexpr size_t kEndpointLabels = 200;  // above this many the label would cost the scraper too much
constexpr std::array<std::string_view, 7> kHealths{"up",       "degraded", "ejected",   "down",
                                                   "checking", "draining", "unresolved"};

/// What is shown under the same labels: an endpoint, or all of an upstream.
struct Row {
  MetricLabels labels;
  bool up = true;
  std::array<uint32_t, kHealths.size()> healths{};
  int64_t active = 0;
  int64_t connections = 0;
  uint64_t requests = 0;
  uint64_t failures = 0;

  void add(const EndpointSample& endpoint) {
    up &= endpoint.up;
    for (size_t i = 0; i < kHealths.size(); ++i) healths[i] += endpoint.health == kHealths[i];
    active += endpoint.active;
    connections += endpoint.connections;
    requests += endpoint.requests;
    failures += endpoint.failures;
  }
  /// No request has ever gone there, and no connection is open.
  bool is_idle() const { return requests == 0 && connections == 0 && active == 0; }
};

struct Upstream {
  MetricLabels labels;
  uint32_t up = 0;
  uint32_t all = 0;
};

struct Rows {
  std::vector<Upstream> upstreams;
  std::vector<Row> endpoints;
};

/// `endpoints` come upstream by upstream.
Rows rows_of(const std::vector<EndpointSample>& endpoints) {
  const bool with_label = endpoints.size() <= kEndpointLabels;
  Rows rows;
  const EndpointSample* before = nullptr;
  for (const auto& endpoint : endpoints) {
    const bool is_next = !before || before->upstream != endpoint.upstream;
    if (is_next) rows.upstreams.emplace_back(MetricLabels{{"upstream", endpoint.upstream}});
    auto& upstream = rows.upstreams.back();
    upstream.up += endpoint.up;
    ++upstream.all;
    if (with_label) rows.endpoints.emplace_back(upstream.labels.with("endpoint", endpoint.endpoint));
    else if (is_next) rows.endpoints.emplace_back(upstream.labels);
    rows.endpoints.back().add(endpoint);
    before = &endpoint;
  }
  return rows;
}

/// How many endpoints under the same labels are in each state: 0 or 1, where each has labels of its own. States
/// other than `up` are left out at 0.
void gather_health(const std::vector<Row>& rows, Families& families) {
  for (const auto& row : rows) {
    for (size_t i = 0; i < kHealths.size(); ++i) {
      if (i > 0 && row.healths[i] == 0) continue;
      families.gauge("endpoint_health", "1 for the state that the endpoint is in",
                     row.labels.with("state", kHealths[i]), row.healths[i]);
    }
  }
}

/// Endpoints that have had a request or a connection: the others add nothing.
void gather_use(const std::vector<Row>& rows, Families& families) {
  const auto add = [&](auto show) {
    for (const auto& row : rows) {
      if (!row.is_idle()) show(row);
    }
  };
  add([&](const Row& row) {
    families.gauge("endpoint_active_requests", "Attempts under way", row.labels, static_cast<double>(row.active));
  });
  add([&](const Row& row) {
    families.gauge("endpoint_connections", "Connections open", row.labels, static_cast<double>(row.connections));
  });
  add([&](const Row& row) {
    families.counter("endpoint_requests", "Attempts made", row.labels, static_cast<double>(row.requests));
  });
  add([&](const Row& row) {
    families.counter("endpoint_failures", "Attempts without a whole response, or answered with 502, 503 or 504",
                     row.labels, static_cast<double>(row.failures));
  });
}

}  // namespace

void gather_endpoints(const std::vector<EndpointSample>& endpoints, Families& families) {
  const Rows rows = rows_of(endpoints);
  for (const auto& upstream : rows.upstreams)
    families.gauge("upstream_endpoints", "Endpoints of an upstream", upstream.labels, upstream.all);
  for (const auto& upstream : rows.upstreams)
    families.gauge("upstream_endpoints_up", "Endpoints that take requests", upstream.labels, upstream.up);
  for (const auto& row : rows.endpoints)
    families.gauge("endpoint_up", "1 while the endpoint takes requests", row.labels, row.up);
  gather_health(rows.endpoints, families);
  gather_use(rows.endpoints, families);
}

}  // namespace weir::observe
