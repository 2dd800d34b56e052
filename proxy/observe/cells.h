#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "async/turn_meter.h"
#include "base/error.h"
#include "base/metrics.h"
#include "exchange/exchange.h"
#include "net/tls_session.h"
#include "observe/cell_table.h"
#include "observe/recent_failures.h"

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
  Counter refused, timed_out, broken, abandoned, unable;
  Counter retries;  // attempts after an exchange's first
  Counter reused;   // attempts over a connection that had carried a request before
};

struct ListenerCells {
  Counter accepted;
  Gauge open;
  std::array<Counter, net::kTlsFaults> handshake_failures;  // by TlsFault
};

/// Why a connection was closed before its first request.
enum class Refusal : uint8_t {
  limit,
  limit_per_address,
  out_of_files,
  tls_handshake,
  proxy_header,
  client_certificate
};
inline constexpr size_t kRefusals = 6;

/// The label values of one snapshot. Routes and listeners are in the configuration's order: Route::index is
/// the position in `routes`.
struct Labels {
  std::vector<std::string> listeners;
  std::vector<std::string> routes;
  std::vector<std::string> upstreams;
};

/// The cells of one snapshot by slot (CellNames), worked out once for all workers. Immutable.
struct CellPlan {
  struct Listener {
    std::string name;
    uint32_t slot = 0;
    std::vector<uint32_t> routes;  // the last one is of no route
  };
  struct Upstream {
    std::string name;
    uint32_t slot = 0;
  };
  std::vector<Listener> listeners;
  std::vector<Upstream> upstreams;  // by name
  // All slots are below these.
  uint32_t listener_slots = 0;
  uint32_t route_slots = 0;
  uint32_t upstream_slots = 0;
};

/// One snapshot's view on a worker's cells. Kept beside the snapshot, as long as an exchange of it runs. The
/// worker's thread.
class SnapshotCells {
 public:
  /// Counts an exchange that is over, once. No allocation.
  void observe(const Exchange& exchange);
  /// Of one that had no client.
  void observe_attempts(const Attempts& attempts);

  /// The listener's connections; `index` is its position in Labels::listeners.
  ListenerCells& listener(size_t index);

 private:
  friend class WorkerMetrics;
  const CellPlan::Listener* find_listener(std::string_view name);
  UpstreamCells* find_upstream(std::string_view name);

  class WorkerMetrics* worker_ = nullptr;
  std::shared_ptr<const CellPlan> plan_;
  std::string_view listener_name_;  // of the last search
  const CellPlan::Listener* listener_ = nullptr;
  std::string_view upstream_name_;  // of the last search
  UpstreamCells* upstream_ = nullptr;
};

/// All that one worker counts. Cells go by slot and stay for the life of the process, so that a reload neither
/// loses nor resets any. The worker's thread writes; a scrape on another one reads.
class WorkerMetrics {
 public:
  /// Makes room for the cells of a snapshot, so that the worker itself has nothing to make. One thread at a time.
  void reserve(const CellPlan& plan);
  /// The view of a snapshot for which there is room.
  SnapshotCells resolve(std::shared_ptr<const CellPlan> plan);

  Gauge in_flight;  // exchanges
  std::array<Counter, kRefusals> refusals;
  Counter worn_connections;  // of trusted proxies, whose clients wasted too many streams
  std::array<Counter, static_cast<size_t>(ErrorCode::internal) + 1>
      failures;                   // exchanges, and what was refused earlier
  std::array<Counter, 32> flags;  // by the Flag's bit
  Counter request_bytes;
  Counter response_bytes;
  TurnMeter turns;      // of the worker's loop
  Counter stuck_turns;  // turns that the watchdog found too long; its thread counts
  Gauge blocks;         // of the worker's memory that are in use, when it last looked

  RecentFailures recent_failures;

  void refused(Refusal why) { refusals[static_cast<size_t>(why)].add(); }
  void failed(ErrorCode code) { failures[static_cast<size_t>(code)].add(); }

  CellTable<RouteCells> routes;
  CellTable<UpstreamCells> upstreams;
  CellTable<ListenerCells> listeners;
};

}  // namespace weir::observe
