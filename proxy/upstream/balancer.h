#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "exchange/attempts.h"
#include "upstream/config.h"
#include "upstream/endpoint.h"
#include "upstream/random.h"

namespace weir::upstream {

/// What a balancer knows of the request that it chooses for.
struct Pick {
  std::atomic<uint64_t>& turn;  // the upstream's, shared by all workers
  Random& random;               // the thread's
  Time now{};
  uint64_t key = 0;                         // of the hash policies
  const Attempts* tried = nullptr;          // endpoints to leave out
  bool is_only_untried = false;             // when no other is left, too
  bool is_probe = false;                    // of a half-open circuit: healthy endpoints alone, if there are any
  Asker asker{};                            // of a half-open circuit
  const EndpointState* promised = nullptr;  // a place there is kept for it
  bool heeds_pauses = true;                 // leave out endpoints to which no connection can be made
  const SlowStart* slow_start = nullptr;
  Health worst = Health::up;  // that will do

  /// May the request go there, now or when there is a place?
  bool is_eligible(const Endpoint& endpoint) const {
    return endpoint.state->health.load(std::memory_order_relaxed) <= worst &&
           !(heeds_pauses && endpoint.state->backoff.is_paused(now)) && endpoint.is_open_to_requests(now, asker) &&
           !was_tried(endpoint);
  }
  /// May it go there now?
  bool admits(const Endpoint& endpoint) const { return is_eligible(endpoint) && !endpoint.is_full(own(endpoint)); }
  /// Places on the endpoint that are kept for this request.
  uint32_t own(const Endpoint& endpoint) const { return endpoint.state.get() == promised ? 1 : 0; }
  bool was_tried(const Endpoint& endpoint) const;
  bool admits_any(std::span<const Endpoint> endpoints) const;
  /// How much of its weight an endpoint that is new bears now, 0 to 1.
  double share(const Endpoint& endpoint) const;
  /// By chance, as often as `share` says.
  bool lets_in(const Endpoint& endpoint) const { return !slow_start || random.fraction() < share(endpoint); }
  double weight(const Endpoint& endpoint) const { return endpoint.weight * share(endpoint); }
};

/// Chooses among the endpoints that it was built over. Immutable and shared by all workers: what changes is in
/// the endpoints' states and in the Pick.
class Balancer {
 public:
  virtual ~Balancer() = default;
  /// An endpoint that the pick admits, or null when it admits none.
  virtual const Endpoint* choose(Pick& pick) const = 0;
};

/// `endpoints` (one at least) outlive the balancer.
std::unique_ptr<Balancer> make_balancer(const Balance& balance, std::span<const Endpoint> endpoints);

/// One that the pick admits, each as likely, or null: for when chance has missed too often. `but` is left out.
const Endpoint* any_admitted(std::span<const Endpoint> endpoints, Pick& pick, const Endpoint* but = nullptr);

}  // namespace weir::upstream
