#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "async/task.h"
#include "base/result.h"
#include "exchange/exchange.h"
#include "upstream/config.h"
#include "upstream/endpoint.h"
#include "upstream/endpoint_set.h"
#include "upstream/outlier.h"
#include "upstream/upstream_state.h"

namespace weir::upstream {

/// The endpoints that an attempt may go to: all, those tried already after the others; or only those not tried.
enum class Candidates : uint8_t { all, untried };

/// What an answer would say without gRPC, which tells a call's failure in a 200, in its head when there are no messages
/// (as Envoy's outlier detection takes it; but a deadline that was exceeded is the client's own).
uint16_t meant_status(const http::ResponseHead& head);

/// One named pool of endpoints, of one snapshot. Shared by all workers; thread-safe. What must survive a reload
/// is in its UpstreamState.
class Upstream {
 public:
  /// With an endpoint given by name it has none of those until `publish`. `workers`: how many threads will ask.
  Upstream(std::string name, uint32_t index, UpstreamSettings settings, std::shared_ptr<UpstreamState> state,
           unsigned workers, Time now);
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

  const std::string& name() const { return name_; }
  const UpstreamSettings& settings() const { return settings_; }
  uint32_t index() const { return index_; }
  UpstreamState& state() const { return *state_; }
  /// Before anybody asks; null: in the clear.
  void use_tls(std::shared_ptr<const net::TlsClient> tls) { tls_ = std::move(tls); }
  const std::shared_ptr<const net::TlsClient>& tls() const { return tls_; }

  /// Without waiting: a lease on an endpoint not tried yet by this exchange, if there is one; or no_endpoint
  /// or circuit_open (Side::self, retry safe); or nothing while every eligible endpoint is full: then `acquire`. No
  /// lock, no malloc.
  std::optional<Result<EndpointLease>> try_acquire(Exchange& exchange, Candidates among = Candidates::all) const;
  /// The same, but waits in the upstream's queue: overflow when that is full, queue_timeout after `queue.timeout`
  /// or at the exchange's deadline.
  Task<Result<EndpointLease>> acquire(Exchange& exchange, Candidates among = Candidates::all) const;

  /// After circuit_open: when a request may get through again, as far as is known.
  Duration refuses_for(Time now) const;

  /// Any thread: the endpoints as they are now, for /upstreams and metrics.
  std::shared_ptr<const EndpointSet> endpoints() const;

  /// Any thread, for every response's head and every failure of an endpoint, `took` after the end of the request
  /// (nothing: it came before that): what it says about the endpoint's health, and to the balancers that look at load.
  void observe(EndpointState& endpoint, Outcome outcome, http::ResponseHead* head, std::optional<Duration> took,
               Time now) const;
  /// The same, of an answer that broke off after its head, whose status it was.
  void observe_break(EndpointState& endpoint, Outcome outcome, uint16_t status, Time now) const {
    if (outlier_) outlier_->broke_off(endpoint, outcome, status, now);
  }
  /// A connection to the endpoint was made.
  void connected(EndpointState& endpoint) const {
    if (endpoint.backoff.connected()) [[unlikely]]
      state_->health.can_connect(endpoint);
  }
  /// A response came from the endpoint, or it passed a health check.
  void responded(EndpointState& endpoint) const {
    if (endpoint.backoff.responded()) [[unlikely]]
      state_->health.can_connect(endpoint);
  }
  /// The endpoint closed a fresh connection, on which it had a request, without a byte of a response.
  void ended_unanswered(EndpointState& endpoint, const Error& error, Time now) const;
  /// An attempt failed. An endpoint with a circuit of its own is left alone for its failures; while another endpoint
  /// can be had and its requests succeed, they say nothing about the upstream as a whole, whose circuit would refuse
  /// what that one can serve. Before `report`.
  void spare_own_circuit(EndpointLease& lease, Exchange& exchange) const;
  /// Whether a request that has been to some endpoints could go to another one: its circuit admits it, and its health
  /// doesn't forbid it.
  bool has_untried(Exchange& exchange) const;
  /// A request goes over HTTP/1.1, since the endpoint can't serve it over HTTP/2.
  void count_http1_instead() const;
  /// A health check says that the endpoint is well again: its circuit begins anew.
  void recovered(const EndpointState& endpoint, Time now) const;
  /// Null: the upstream detects none.
  Outlier* outlier() const { return outlier_.get(); }

  /// Any thread: replaces the endpoints (DNS answered). Those that stay keep their state.
  void publish(std::vector<EndpointSpec> specs, Time now, std::vector<UnresolvedName> unresolved = {});

 private:
  struct alignas(64) View {  // one worker's own
    uint64_t version = 0;
    std::shared_ptr<const EndpointSet> set;
  };
  std::shared_ptr<const EndpointSet> current(unsigned worker) const;
  void measure(EndpointState& endpoint, Outcome outcome, uint16_t status, std::optional<Duration> took, Time now) const;
  Pick pick_for(Exchange& exchange, Candidates among) const;
  /// `promised`: an endpoint that keeps a place for this request, or null.
  std::optional<Result<EndpointLease>> take(Exchange& exchange, Candidates among,
                                            const EndpointState* promised = nullptr) const;
  Time next_change(Time now, const Asker& asker) const;

  std::string name_;
  uint32_t index_;
  UpstreamSettings settings_;
  std::shared_ptr<UpstreamState> state_;  // shared with the same upstream of other snapshots
  std::shared_ptr<const net::TlsClient> tls_;
  std::shared_ptr<Gate> gate_;  // may be null
  std::unique_ptr<Outlier> outlier_;
  bool is_dynamic_;  // has endpoints given by name; else set_ never changes

  mutable std::mutex mutex_;  // guards set_ while is_dynamic_
  std::shared_ptr<const EndpointSet> set_;
  std::atomic<uint64_t> version_{0};
  mutable std::vector<View> views_;
};

}  // namespace weir::upstream
