#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/metrics.h"
#include "exchange/exchange.h"
#include "net/tls_session.h"

namespace weir::observe {

/// By the first digit of the status; 0 for exchanges that sent none.
using StatusClasses = std::array<Counter, 6>;

struct RouteCells {
  StatusClasses requests;
  Histogram duration;
};

struct UpstreamCells {
  StatusClasses requests;  // one for each attempt
  Histogram duration;      // of answered attempts: from its start to the response's head
  Counter refused, timed_out, broken, abandoned;
  Counter retries;  // attempts after an exchange's first
  Counter reused;   // attempts over a connection that had carried a request before
};

struct ListenerCells {
  Counter accepted;
  Gauge open;
  std::array<Counter, net::kTlsFaults> handshake_failures;  // by TlsFault
};

/// Why a connection was closed before its first request.
enum class Refusal : uint8_t { limit, limit_per_address, out_of_files, tls_handshake, proxy_header };
inline constexpr size_t kRefusals = 5;

/// The label values of one snapshot. Routes and listeners are in the configuration's order: Route::index is
/// the position in `routes`.
struct Labels {
  std::vector<std::string> listeners;
  std::vector<std::string> routes;
  std::vector<std::string> upstreams;
};

/// One snapshot's view on a worker's cells: names are looked up once, when the worker adopts the snapshot. Kept
/// beside the snapshot, as long as an exchange of it runs. The worker's thread.
class SnapshotCells {
 public:
  /// Counts an exchange that is over, once. No allocation.
  void observe(const Exchange& exchange);
  /// Of one that had no client.
  void observe_attempts(const Attempts& attempts);

  /// The listener's connections; `index` is its position in Labels::listeners.
  ListenerCells& listener(size_t index) { return *listeners_[index].cells; }

 private:
  friend class WorkerMetrics;
  struct Listener {
    std::string name;
    ListenerCells* cells = nullptr;
    std::vector<RouteCells*> routes;  // the last one is of no route
  };
  struct Upstream {
    std::string name;
    UpstreamCells* cells = nullptr;
  };
  Listener* find_listener(std::string_view name);
  UpstreamCells* find_upstream(std::string_view name);

  class WorkerMetrics* worker_ = nullptr;
  std::vector<Listener> listeners_;
  std::vector<Upstream> upstreams_;  // by name
};

/// All that one worker counts. Cells go by name and stay for the life of the process, so that a reload neither
/// loses nor resets any. The worker's thread writes; a scrape on another one reads.
class WorkerMetrics {
 public:
  /// Finds or makes the cells of a snapshot. Any thread.
  SnapshotCells resolve(const Labels& labels);

  Gauge in_flight;  // exchanges
  std::array<Counter, kRefusals> refusals;
  std::array<Counter, static_cast<size_t>(ErrorCode::internal) + 1>
      failures;                   // exchanges, and what was refused earlier
  std::array<Counter, 32> flags;  // by the Flag's bit
  Counter request_bytes;
  Counter response_bytes;

  void refused(Refusal why) { refusals[static_cast<size_t>(why)].add(); }
  void failed(ErrorCode code) { failures[static_cast<size_t>(code)].add(); }

  /// For a scrape: visits each cell under the lock that `resolve` takes.
  template <class Visit>
  void for_each_route(Visit visit) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, cells] : routes_) visit(key.first, key.second, *cells);
  }
  template <class Visit>
  void for_each_upstream(Visit visit) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, cells] : upstreams_) visit(name, *cells);
  }
  template <class Visit>
  void for_each_listener(Visit visit) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, cells] : listeners_) visit(name, *cells);
  }

 private:
  RouteCells* route(const std::string& listener, const std::string& name);

  mutable std::mutex mutex_;                                                           // of the maps, not of the cells
  std::map<std::pair<std::string, std::string>, std::unique_ptr<RouteCells>> routes_;  // listener, route
  std::map<std::string, std::unique_ptr<UpstreamCells>> upstreams_;
  std::map<std::string, std::unique_ptr<ListenerCells>> listeners_;
};

}  // namespace weir::observe
