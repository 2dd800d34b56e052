#include "observe/gather.h"

namespace weir::observe {

namespace {

constexpr std::string_view kRefusalNames[kRefusals] = {"limit",         "limit_per_address", "out_of_files",
                                                       "tls_handshake", "proxy_header",      "client_certificate"};
constexpr std::string_view kClassNames[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

using ClassTotals = std::array<uint64_t, 6>;
void add(ClassTotals& totals, const StatusClasses& cells) {
  for (size_t i = 0; i < totals.size(); ++i) totals[i] += cells[i].value();
}

/// A sum over workers of one of their cells.
template <class Pick>
auto total(const Workers& workers, Pick pick) {
  decltype(pick(*workers[0]).value()) sum = 0;
  for (const auto* worker : workers) sum += pick(*worker).value();
  return static_cast<double>(sum);
}

struct RouteTotal {
  MetricLabels labels;
  ClassTotals requests{};
  HistogramTotal duration;
};

/// Routes that have had a request: the others add nothing.
std::vector<RouteTotal> total_routes(const CellNames& names, const Workers& workers) {
  std::vector<RouteTotal> totals;
  names.for_each_route([&](uint32_t slot, const std::string& listener, const std::string& route) {
    ClassTotals requests{};
    for (const auto* worker : workers) {
      if (const auto* cells = worker->routes.find(slot)) add(requests, cells->requests);
    }
    if (requests == ClassTotals{}) return;
    auto& total = totals.emplace_back(MetricLabels{{"listener", listener}, {"route", route}}, requests);
    for (const auto* worker : workers) {
      if (const auto* cells = worker->routes.find(slot)) total.duration.add(cells->duration);
    }
  });
  return totals;
}

void gather_routes(const CellNames& names, const Workers& workers, Families& families) {
  const auto totals = total_routes(names, workers);
  for (const auto& total : totals) {
    for (size_t i = 0; i < total.requests.size(); ++i) {
      if (total.requests[i] == 0) continue;
      families.counter("requests", "Finished exchanges by status class", total.labels.with("code", kClassNames[i]),
                       static_cast<double>(total.requests[i]));
    }
  }
  for (const auto& total : totals) {
    if (total.duration.buckets == HistogramTotal{}.buckets) continue;
    families.histogram("request_duration_seconds", "From a request's first byte to its response's last", total.labels,
                       total.duration);
  }
}

struct UpstreamTotal {
  MetricLabels labels;
  ClassTotals requests{};
  HistogramTotal duration;
  uint64_t refused = 0, timed_out = 0, broken = 0, abandoned = 0, unable = 0, retries = 0, reused = 0;

  void add(const UpstreamCells& cells) {
    observe::add(requests, cells.requests);
    duration.add(cells.duration);
    refused += cells.refused.value();
    timed_out += cells.timed_out.value();
    broken += cells.broken.value();
    abandoned += cells.abandoned.value();
    unable += cells.unable.value();
    retries += cells.retries.value();
    reused += cells.reused.value();
  }
};

/// Upstreams that have had an attempt: the others add nothing.
std::vector<UpstreamTotal> total_upstreams(const CellNames& names, const Workers& workers) {
  std::vector<UpstreamTotal> totals;
  names.for_each_upstream([&](uint32_t slot, const std::string& name) {
    UpstreamTotal total;
    for (const auto* worker : workers) {
      if (const auto* cells = worker->upstreams.find(slot)) total.add(*cells);
    }
    if (total.requests == ClassTotals{}) return;
    total.labels.add("upstream", name);
    totals.push_back(std::move(total));
  });
  return totals;
}

void gather_upstreams(const CellNames& names, const Workers& workers, Families& families) {
  const auto totals = total_upstreams(names, workers);
  for (const auto& total : totals) {
    for (size_t i = 0; i < total.requests.size(); ++i) {
      if (total.requests[i] == 0) continue;
      families.counter("upstream_requests", "Attempts by the status class of their answer",
                       total.labels.with("code", kClassNames[i]), static_cast<double>(total.requests[i]));
    }
  }
  for (const auto& total : totals) {
    families.histogram("upstream_request_duration_seconds", "From an attempt's start to its response's head",
                       total.labels, total.duration);
  }
  for (const auto& total : totals) {
    const auto failed = [&](std::string_view reason, uint64_t count) {
      families.counter("upstream_failures", "Attempts without a whole response head",
                       total.labels.with("reason", reason), static_cast<double>(count));
    };
    failed("refused", total.refused);
    failed("timed_out", total.timed_out);
    failed("broken", total.broken);
    failed("abandoned", total.abandoned);
    failed("unable", total.unable);
  }
  for (const auto& total : totals) {
    families.counter("upstream_retries", "Attempts after an exchange's first", total.labels,
                     static_cast<double>(total.retries));
  }
  for (const auto& total : totals) {
    families.counter("upstream_connections_reused", "Attempts over a connection used before", total.labels,
                     static_cast<double>(total.reused));
  }
}

struct ListenerTotal {
  MetricLabels labels;
  uint64_t accepted = 0;
  int64_t open = 0;
  std::array<uint64_t, net::kTlsFaults> handshake_failures{};
};

std::vector<ListenerTotal> total_listeners(const CellNames& names, const Workers& workers) {
  std::vector<ListenerTotal> totals;
  names.for_each_listener([&](uint32_t slot, const std::string& name) {
    auto& total = totals.emplace_back(MetricLabels{{"listener", name}});
    for (const auto* worker : workers) {
      const auto* cells = worker->listeners.find(slot);
      if (!cells) continue;
      total.accepted += cells->accepted.value();
      total.open += cells->open.value();
      for (size_t i = 0; i < net::kTlsFaults; ++i) total.handshake_failures[i] += cells->handshake_failures[i].value();
    }
  });
  return totals;
}

void gather_connections(const CellNames& names, const Workers& workers, Families& families) {
  const auto totals = total_listeners(names, workers);
  for (const auto& total : totals) {
    families.counter("connections_accepted", "Client connections accepted", total.labels,
                     static_cast<double>(total.accepted));
  }
  for (const auto& total : totals) {
    families.gauge("connections_open", "Client connections open now", total.labels, static_cast<double>(total.open));
  }
  for (size_t i = 0; i < kRefusals; ++i) {
    families.counter("connections_refused", "Client connections closed before their first request",
                     {{"reason", kRefusalNames[i]}},
                     total(workers, [i](const WorkerMetrics& worker) -> auto& { return worker.refusals[i]; }));
  }
  families.counter("connections_worn",
                   "Connections of trusted proxies that ended for streams that their clients wasted", {},
                   total(workers, [](const WorkerMetrics& worker) -> auto& { return worker.worn_connections; }));
  for (const auto& total : totals) {
    for (size_t i = 0; i < net::kTlsFaults; ++i) {
      if (total.handshake_failures[i] == 0) continue;
      families.counter("tls_handshake_failures", "TLS handshakes with clients that came to nothing",
                       total.labels.with("reason", net::name_of(static_cast<net::TlsFault>(i))),
                       static_cast<double>(total.handshake_failures[i]));
    }
  }
}

void gather_traffic(const Workers& workers, Families& families) {
  families.gauge("requests_in_flight", "Exchanges under way", {},
                 total(workers, [](const WorkerMetrics& worker) -> auto& { return worker.in_flight; }));
  families.counter("request_body_bytes", "Body bytes received from clients", {},
                   total(workers, [](const WorkerMetrics& worker) -> auto& { return worker.request_bytes; }));
  families.counter("response_body_bytes", "Body bytes sent to clients", {},
                   total(workers, [](const WorkerMetrics& worker) -> auto& { return worker.response_bytes; }));
}

void gather_failures(const Workers& workers, Families& families) {
  for (size_t i = 0; i <= static_cast<size_t>(ErrorCode::internal); ++i) {
    const double count = total(workers, [i](const WorkerMetrics& worker) -> auto& { return worker.failures[i]; });
    if (count == 0) continue;
    families.counter("failures", "Requests that Weir answered with an error of its own, or refused",
                     {{"reason", name_of(static_cast<ErrorCode>(i))}}, count);
  }
  for (size_t i = 0; i < 32; ++i) {
    const double count = total(workers, [i](const WorkerMetrics& worker) -> auto& { return worker.flags[i]; });
    if (count == 0) continue;
    families.counter("response_flags", "Exchanges by the flag in their log line",
                     {{"flag", name_of(static_cast<Flag>(1u << i))}}, count);
  }
}

}  // namespace

void gather_workers(const CellNames& names, const Workers& workers, Families& families) {
  if (workers.empty()) return;
  gather_routes(names, workers, families);
  gather_upstreams(names, workers, families);
  gather_connections(names, workers, families);
  gather_traffic(workers, families);
  gather_failures(workers, families);
}

}  // namespace weir::observe
