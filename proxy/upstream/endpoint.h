#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "base/units.h"
#include "exchange/gate.h"
#include "net/address.h"
#include "upstream/connect_backoff.h"
#include "upstream/failing.h"
#include "upstream/health.h"
#include "upstream/latency.h"
#include "upstream/outlier_counts.h"

namespace weir::upstream {

class ConnectionFaults;
class EndpointSet;
class UpstreamState;

/// What is known of one address of one upstream. Outlives reloads and DNS changes; shared by all workers.
struct alignas(64) EndpointState {
  EndpointState(std::string text, net::Address address) : text(std::move(text)), address(address) {}

  const std::string text;  // "127.0.0.1:9001", "unix:/run/x.sock": how it is shown, hashed and found again
  const net::Address address;

  std::atomic<Health> health{Health::up};  // the worst of `opinions`
  ConnectBackoff backoff;
  std::atomic<Time> up_since{Time::min()};  // slow start counts from here; min = it was there from the start
  std::atomic<uint32_t> active{0};          // requests in flight
  std::atomic<uint32_t> promised{0};        // places that requests which wait have been called for
  std::atomic<uint32_t> connections{0};     // open ones, idle included
  std::atomic<uint32_t> outages{0};         // times that it went down or was ejected
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> failures{0};
  Latency latency;             // for peak_ewma, which alone asks
  FailingShare failing;        // for least_connections and random_two
  UsualLatency usual_latency;  // of a response's head
  OutlierCounts outlier;
  std::atomic<Health> said{Health::up};      // its own opinion
  EndpointHealth opinions;                   // guarded by its upstream's HealthLedger
  std::shared_ptr<ConnectionFaults> faults;  // the upstream's counter, which connections may outlive; null: not counted

  /// Counts a request that failed here. It is in flight still.
  void failed() {
    const int64_t succeeded = this->succeeded();
    int64_t before = succeeded_before_failure_.load(std::memory_order_relaxed);
    while (before < succeeded && !succeeded_before_failure_.compare_exchange_weak(before, succeeded)) {
    }
    failures.fetch_add(1, std::memory_order_relaxed);
  }
  /// A request has succeeded here since the last one that failed, or none has failed. The way of a request that
  /// succeeds counts nothing for that: it follows from what is counted anyway.
  bool is_succeeding() const { return succeeded() > succeeded_before_failure_.load(std::memory_order_relaxed); }

  bool is_up() const { return health.load(std::memory_order_relaxed) == Health::up; }
  /// Coming up again starts slowly; so does a new one, unless all are new.
  void set_health(Health now_is, Time now) {
    const Health was = health.exchange(now_is);
    if (was <= Health::degraded && (now_is == Health::ejected || now_is == Health::down)) ++outages;
    if (now_is != Health::up || was <= Health::degraded) return;
    if (was != Health::checking || up_since.load() != Time::min()) up_since = now;
  }

 private:
  /// Requests that ended without a failure.
  int64_t succeeded() const {
    return static_cast<int64_t>(requests.load() - failures.load()) - static_cast<int64_t>(active.load());
  }
  std::atomic<int64_t> succeeded_before_failure_{-1};  // none has failed yet
};

/// One endpoint as one EndpointSet has it: immutable.
struct Endpoint {
  std::shared_ptr<EndpointState> state;
  std::string authority;  // what `host: endpoint` sends: "127.0.0.1:9001", "api.internal:8000"
  uint32_t weight = 1;
  bool is_backup = false;
  uint32_t max_requests = 0;     // 0 = none
  uint32_t max_connections = 0;  // 0 = none
  uint32_t index = 0;            // in its set
  std::shared_ptr<Gate> gate;    // may be null

  /// The most requests at once; 0 = any number. An HTTP/1.1 connection carries one at a time.
  uint32_t limit() const {
    if (max_requests == 0 || max_connections == 0) return max_requests + max_connections;
    return max_requests < max_connections ? max_requests : max_connections;
  }
  /// `own`: of the places promised, those that are the request's.
  bool is_full(uint32_t own = 0) const {
    const uint32_t most = limit();
    if (most == 0) return false;
    const uint32_t active = state->active.load();  // before `promised`, which grows before this shrinks
    return active + state->promised.load() - own >= most;
  }
  bool is_open_to_requests(Time now, const Asker& asker) const { return !gate || gate->would_admit(now, asker); }
};

/// One request in flight on one endpoint. Destroyed, it frees the place and calls whoever waits for one. The
/// Endpoint lives as long as the lease, and so do the gates that let it through. The exchange, which keeps the
/// snapshot, outlives the lease.
class EndpointLease {
 public:
  EndpointLease() = default;
  EndpointLease(EndpointLease&& other) noexcept
      : endpoint_(std::exchange(other.endpoint_, nullptr)),
        upstream_(other.upstream_),
        keep_(std::move(other.keep_)),
        permits_(std::move(other.permits_)),
        probe_(std::move(other.probe_)) {}
  EndpointLease& operator=(EndpointLease&& other) noexcept {
    std::swap(endpoint_, other.endpoint_);
    std::swap(upstream_, other.upstream_);
    std::swap(keep_, other.keep_);
    std::swap(permits_, other.permits_);
    std::swap(probe_, other.probe_);
    return *this;
  }
  ~EndpointLease() {
    if (endpoint_) release();
  }

  const Endpoint& endpoint() const { return *endpoint_; }
  EndpointState& state() const { return *endpoint_->state; }

  /// Tells the gates how it went: at the response's head, and again if that response broke off.
  void report(const Finish& finish) {
    for (auto& permit : permits_) permit.report(finish);
  }
  /// Another endpoint gets the request, or others are well: a failure of this attempt says nothing about the upstream
  /// as a whole.
  void excuse_upstream() { permits_[0].spare(); }
  /// Counts a failure of this endpoint.
  void failed() { state().failed(); }

 private:
  friend class Upstream;
  EndpointLease(const Endpoint& endpoint, UpstreamState& upstream, std::shared_ptr<const EndpointSet> keep,
                std::array<Gate::Permit, 2> permits, ConnectBackoff::Probe probe)
      : endpoint_(&endpoint),
        upstream_(&upstream),
        keep_(std::move(keep)),
        permits_(std::move(permits)),
        probe_(std::move(probe)) {}
  void release();

  const Endpoint* endpoint_ = nullptr;
  UpstreamState* upstream_ = nullptr;
  std::shared_ptr<const EndpointSet> keep_;  // null when the set lives as long as its snapshot
  std::array<Gate::Permit, 2> permits_;      // of the upstream and of the endpoint
  ConnectBackoff::Probe probe_;              // of an endpoint that was left alone
};

}  // namespace weir::upstream
