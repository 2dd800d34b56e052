#include <map>

#include "observe/gather.h"

namespace weir::observe {

namespace {

constexpr std::string_view kRefusalNames[kRefusals] = {"limit", "limit_per_address", "out_of_files", "tls_handshake",
                                                       "proxy_header"};
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

void gather_routes(const Workers& workers, Families& families) {
  struct Total {
    ClassTotals requests{};
    HistogramTotal duration;
  };
  std::map<std::pair<std::string, std::string>, Total> totals;
  for (const auto* worker : workers) {
    worker->for_each_route([&](const auto& listener, const auto& route, const RouteCells& cells) {
      Total& total = totals[{listener, route}];
      add(total.requests, cells.requests);
      total.duration.add(cells.duration);
    });
  }
  for (const auto& [key, total] : totals) {
    for (size_t i = 0; i < total.requests.size(); ++i) {
      if (total.requests[i] == 0) continue;
      families.counter("requests", "Finished exchanges by status class",
                       {{"listener", key.first}, {"route", key.second}, {"code", std::string(kClassNames[i])}},
                       static_cast<double>(total.requests[i]));
    }
  }
  for (const auto& [key, total] : totals) {
    if (total.duration.buckets == HistogramTotal{}.buckets) continue;
    families.histogram("request_duration_seconds", "From a request's first byte to its response's last",
                       {{"listener", key.first}, {"route", key.second}}, total.duration);
  }
}

struct UpstreamTotal {
  ClassTotals requests{};
  HistogramTotal duration;
  uint64_t refused = 0, timed_out = 0, broken = 0, abandoned = 0, retries = 0, reused = 0;

  void add(const UpstreamCells& cells) {
    observe::add(requests, cells.requests);
    duration.add(cells.duration);
    refused += cells.refused.value();
    timed_out += cells.timed_out.value();
    broken += cells.broken.value();
    abandoned += cells.abandoned.value();
    retries += cells.retries.value();
    reused += cells.reused.value();
  }
};

void gather_upstreams(const Workers& workers, Families& families) {
  std::map<std::string, UpstreamTotal> totals;
  for (const auto* worker : workers) {
    worker->for_each_upstream([&](const auto& name, const UpstreamCells& cells) { totals[name].add(cells); });
  }
  for (const auto& [name, total] : totals) {
    for (size_t i = 0; i < total.requests.size(); ++i) {
      if (total.requests[i] == 0) continue;
      families.counter("upstream_requests", "Attempts by the status class of their answer",
                       {{"upstream", name}, {"code", std::string(kClassNames[i])}},
                       static_cast<double>(total.requests[i]));
    }
  }
  for (const auto& [name, total] : totals) {
    families.histogram("upstream_request_duration_seconds", "From an attempt's start to its response's head",
                       {{"upstream", name}}, total.duration);
  }
  for (const auto& [name, total] : totals) {
    const auto failed = [&](std::string_view reason, uint64_t count) {
      families.counter("upstream_failures", "Attempts without a whole response head",
                       {{"upstream", name}, {"reason", std::string(reason)}}, static_cast<double>(count));
    };
    failed("refused", total.refused);
    failed("timed_out", total.timed_out);
    failed("broken", total.broken);
    failed("abandoned", total.abandoned);
  }
  for (const auto& [name, total] : totals) {
    families.counter("upstream_retries", "Attempts after an exchange's first", {{"upstream", name}},
                     static_cast<double>(total.retries));
  }
  for (const auto& [name, total] : totals) {
    families.counter("upstream_connections_reused", "Attempts over a connection used before", {{"upstream", name}},
                     static_cast<double>(total.reused));
  }
}

void gather_connections(const Workers& workers, Families& families) {
  std::map<std::string, std::pair<uint64_t, int64_t>> totals;
  for (const auto* worker : workers) {
    worker->for_each_listener([&](const auto& name, const ListenerCells& cells) {
      totals[name].first += cells.accepted.value();
      totals[name].second += cells.open.value();
    });
  }
  for (const auto& [name, total] : totals) {
    families.counter("connections_accepted", "Client connections accepted", {{"listener", name}},
                     static_cast<double>(total.first));
  }
  for (const auto& [name, total] : totals) {
    families.gauge("connections_open", "Client connections open now", {{"listener", name}},
                   static_cast<double>(total.second));
  }
  for (size_t i = 0; i < kRefusals; ++i) {
    families.counter("connections_refused", "Client connections closed before their first request",
                     {{"reason", std::string(kRefusalNames[i])}},
                     total(workers, [i](const WorkerMetrics& worker) -> auto& { return worker.refusals[i]; }));
  }
}

void gather_handshakes(const Workers& workers, Families& families) {
  std::map<std::string, std::array<uint64_t, net::kTlsFaults>> totals;
  for (const auto* worker : workers) {
    worker->for_each_listener([&](const auto& name, const ListenerCells& cells) {
      auto& total = totals[name];
      for (size_t i = 0; i < total.size(); ++i) total[i] += cells.handshake_failures[i].value();
    });
  }
  for (const auto& [name, total] : totals) {
    for (size_t i = 0; i < total.size(); ++i) {
      if (total[i] == 0) continue;
      families.counter("tls_handshake_failures", "TLS handshakes with clients that came to nothing",
                       {{"listener", name}, {"reason", std::string(net::name_of(static_cast<net::TlsFault>(i)))}},
                       static_cast<double>(total[i]));
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
                     {{"reason", std::string(name_of(static_cast<ErrorCode>(i)))}}, count);
  }
  for (size_t i = 0; i < 32; ++i) {
    const double count = total(workers, [i](const WorkerMetrics& worker) -> auto& { return worker.flags[i]; });
    if (count == 0) continue;
    families.counter("response_flags", "Exchanges by the flag in their log line",
                     {{"flag", std::string(name_of(static_cast<Flag>(1u << i)))}}, count);
  }
}

}  // namespace

void gather_workers(const Workers& workers, Families& families) {
  if (workers.empty()) return;
  gather_routes(workers, families);
  gather_upstreams(workers, families);
  gather_connections(workers, families);
  gather_handshakes(workers, families);
  gather_traffic(workers, families);
  gather_failures(workers, families);
}

}  // namespace weir::observe
