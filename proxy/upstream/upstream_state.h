#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/fair_share.h"
#include "base/sweep.h"
#include "net/resolver.h"
#include "upstream/endpoint.h"
#include "upstream/health_ledger.h"
#include "upstream/place_queue.h"

namespace weir::upstream {

/// States by name, as long as somebody holds them. Not thread-safe.
template <class State>
class WeakStates {
 public:
  std::shared_ptr<State> find(const std::string& name) const {
    const auto found = states_.find(name);
    return found == states_.end() ? nullptr : found->second.lock();
  }
  void add(const std::string& name, const std::shared_ptr<State>& state) {
    if (sweep_.is_due(states_.size())) {
      std::erase_if(states_, [](const auto& entry) { return entry.second.expired(); });
      sweep_.done(states_.size());
    }
    states_[name] = state;
  }
  /// Those that nobody holds any more among them.
  size_t size() const { return states_.size(); }

 private:
  std::unordered_map<std::string, std::weak_ptr<State>> states_;
  Sweep sweep_;
};

/// What an upstream keeps over reloads, found by its name. Shared by all workers; thread-safe.
class UpstreamState {
 public:
  /// `metrics` outlives it.
  UpstreamState(const std::string& name, FilterMetrics& metrics);

  std::atomic<uint64_t> turn{0};  // round robin's position, one for all workers
  PlaceQueue queue;               // requests that wait for a place on an endpoint
  FairShare queue_shares;         // of its places, by client
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
  WeakStates<EndpointState> endpoints_;
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
  WeakStates<UpstreamState> states_;
  FilterMetrics unseen_;
  FilterMetrics& metrics_;
};

}  // namespace weir::upstream
