#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "async/wait_queue.h"
#include "net/resolver.h"
#include "upstream/endpoint.h"
#include "upstream/health_ledger.h"

namespace weir::upstream {

/// What an upstream keeps over reloads, found by its name. Shared by all workers; thread-safe.
class UpstreamState {
 public:
  /// `metrics` outlives it.
  UpstreamState(const std::string& name, FilterMetrics& metrics);

  std::atomic<uint64_t> turn{0};  // round robin's position, one for all workers
  WaitQueue queue;                // requests that wait for a place on an endpoint
  HealthLedger health;

  /// The state of an address, made when it is new: with this health. A new one starts slowly, unless the upstream
  /// itself is new.
  std::shared_ptr<EndpointState> endpoint(const net::Address& address, Time now, Health initial = Health::up);
  /// From here on, an endpoint that comes joins others that are at work.
  void settle() { is_settled_ = true; }

  /// What DNS said last, for a reload while it says nothing.
  std::optional<net::Resolution> last_answer(const std::string& name) const;
  void remember(const std::string& name, const net::Resolution& answer);

 private:
  const std::shared_ptr<ConnectionFaults> faults_;
  mutable std::mutex mutex_;  // guards the maps
  std::map<std::string, std::weak_ptr<EndpointState>> endpoints_;
  std::map<std::string, net::Resolution> answers_;
  std::atomic<bool> is_settled_{false};
};

/// The states of all upstreams that a snapshot names. Any thread.
class UpstreamStates {
 public:
  /// Counts in `metrics`, which outlives it; or where nobody looks.
  explicit UpstreamStates(FilterMetrics& metrics) : metrics_(metrics) {}
  UpstreamStates() : metrics_(unseen_) {}

  std::shared_ptr<UpstreamState> find(const std::string& name);

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<UpstreamState>> states_;
  FilterMetrics unseen_;
  FilterMetrics& metrics_;
};

}  // namespace weir::upstream
