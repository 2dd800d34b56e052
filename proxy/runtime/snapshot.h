#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/paced.h"
#include "downstream/client_count.h"
#include "exchange/admin_page.h"
#include "exchange/state_slots.h"
#include "observe/access_log.h"
#include "observe/metrics.h"
#include "routing/router.h"
#include "runtime/configuration.h"
#include "runtime/store_metrics.h"
#include "runtime/teardown.h"
#include "store/announcer.h"
#include "store/memory_store.h"
#include "upstream/forward.h"
#include "upstream/upstream.h"

namespace weir::runtime {

/// What outlives every snapshot: counters, the state of endpoints and filters, the embedded store. One for the
/// process, thread-safe.
struct Lasting {
  explicit Lasting(const Clock& clock);

  const Clock& clock;
  observe::Metrics metrics;
  downstream::ClientCount clients;
  downstream::ClientCount admin_clients;  // the admin API stays open when the limit is met
  Paced accept_failures;                  // log lines
  StateSlots slots;
  FilterMetrics filter_metrics;
  std::vector<AdminPage> admin_pages;  // of plugins
  upstream::UpstreamStates upstreams{filter_metrics};
  StoreMetrics store_metrics{filter_metrics, "store"};
  StoreMetrics cache_store_metrics{filter_metrics, "cache_store"};
  EmbeddedStoreMetrics embedded_store_metrics{filter_metrics};
  SharedCount& store_instances{
      filter_metrics.gauge("store_instances", "Processes that share the store, as last known.", {})};
  store::MemoryStore store;                  // this process' own
  store::Announcer* announcer = nullptr;     // the supervisor's; null: nothing is served
  Teardown* teardown = nullptr;              // the supervisor's; as here
  std::weak_ptr<store::RedisShared> redis;   // of the last snapshot that names one
  std::function<void()> trim_heap = [] {};   // soon, on a thread that serves nobody; any thread
  std::shared_ptr<net::TicketKeys> tickets;  // shared with every TLS listener of every snapshot
};

/// One compiled configuration, immutable: what workers serve. Exchanges keep the one that they began with.
class Snapshot {
 public:
  /// Builds all of it; what only now turns out wrong is added to `problems`, and null returned. `workers`: how many
  /// threads will serve it.
  static std::shared_ptr<Snapshot> build(Loaded loaded, Lasting& lasting, unsigned workers,
                                         std::shared_ptr<observe::AccessLog> log, config::Problems& problems);

  /// Adds what only building finds to the problems of a configuration that can't be served: files that can't be read,
  /// filters that refuse their settings. Changes nothing else.
  static void find_more_problems(const Loaded& loaded, const Clock& clock, config::Problems& problems);

  const Configuration& configuration() const { return configuration_; }
  const routing::Router& router() const { return *router_; }
  const std::vector<std::unique_ptr<upstream::Upstream>>& upstreams() const { return upstreams_; }
  const std::shared_ptr<observe::AccessLog>& access_log() const { return access_log_; }
  /// Null: the store is embedded.
  const std::shared_ptr<store::RedisShared>& redis() const { return redis_; }
  const observe::Labels& labels() const { return labels_; }
  /// Where its exchanges are counted; every worker that serves it has room for them.
  const std::shared_ptr<const observe::CellPlan>& cells() const { return cells_; }
  /// Of a listener, by its position in the configuration; null: it is plain.
  const std::shared_ptr<const downstream::TlsListener>& tls(size_t listener) const { return tls_[listener]; }
  /// Who may use the admin API.
  const std::shared_ptr<const admin::Access>& admin_access() const { return admin_access_; }
  /// The configuration in effect as JSON, secrets masked.
  std::string effective_json() const;

 private:
  Snapshot() = default;
  void find_store(Lasting& lasting);
  void build_admin(const std::string& folder, config::Problems& problems);
  void build_listeners(Lasting& lasting, const TlsFiles& files);
  void build_upstreams(Lasting& lasting, unsigned workers, const TlsFiles& files);
  void hold_routes(Lasting& lasting);
  void build_routes(Lasting& lasting, config::Problems& problems);

  FilterMetrics::Hold held_;  // outlives who counts
  Configuration configuration_;
  config::Value effective_;
  std::shared_ptr<store::RedisShared> redis_;
  std::shared_ptr<const admin::Access> admin_access_;
  std::vector<std::unique_ptr<upstream::Upstream>> upstreams_;
  std::vector<std::shared_ptr<const downstream::TlsListener>> tls_;  // one for each listener
  std::unique_ptr<routing::Router> router_;
  std::shared_ptr<observe::AccessLog> access_log_;
  observe::Labels labels_;
  std::shared_ptr<const observe::CellPlan> cells_;
};

}  // namespace weir::runtime
