#pragma once

#include <memory>

#include "exchange/admin_page.h"
#include "exchange/filter_context.h"
#include "exchange/gate_factory.h"
#include "plugins/circuit_breaker/breaker.h"
#include "plugins/circuit_breaker/breaker_list.h"

namespace weir::plugins {

/// A circuit with the thresholds of one snapshot, as those see it who send.
class BreakerGate final : public Gate {
 public:
  /// `kept`: what else lives as long as the gate.
  explicit BreakerGate(std::shared_ptr<const Circuit> circuit, std::shared_ptr<const void> kept = nullptr)
      : circuit_(std::move(circuit)), kept_(std::move(kept)) {}

  Result<Permit> admit(Time now, const Asker& asker) override;
  bool would_admit(Time now, const Asker& asker) const override {
    return breaker().would_admit(circuit_->settings(), now, asker);
  }
  Duration refuses_for(Time now) const override { return breaker().refuses_for(now); }
  void recovered(Time now) override { breaker().recovered(now); }

 private:
  bool settle(uint64_t ticket, const Finish& finish) override;
  void spoil(uint64_t ticket, const Finish& finish) override { breaker().spoil(*circuit_, ticket, finish.now); }
  Breaker& breaker() const { return circuit_->breaker(); }

  std::shared_ptr<const Circuit> circuit_;
  std::shared_ptr<const void> kept_;
};

/// A circuit around the rest of a route's chain: what is below it fails or answers, and that counts.
class CircuitBreaker : public Filter {
 public:
  explicit CircuitBreaker(std::shared_ptr<Gate> gate) : gate_(std::move(gate)) {}
  Task<> handle(Exchange& exchange, Next next) const override;

 private:
  std::shared_ptr<Gate> gate_;
};

/// `circuit_breaker` among filters.
config::Tag<FilterFactory> circuit_breaker_filter();
/// `circuit_breaker` in an upstream's block.
config::Tag<GateFactory> circuit_breaker_gate();
/// GET /circuit_breakers, POST /circuit_breakers/NAME/open|close|auto.
AdminPage circuit_breakers_page(StateSlots& slots);

}  // namespace weir::plugins
