#pragma once

#include <memory>
#include <utility>

#include "base/result.h"
#include "base/units.h"
#include "exchange/attempt.h"

namespace weir {

/// Decides whether an attempt may go to an upstream or an endpoint: a circuit breaker. Shared by all workers,
/// so thread-safe.
class Gate {
 public:
  virtual ~Gate() = default;

  /// Leave for one attempt. `report` it once; destroyed without, it counts neutral and gives its slot back.
  class Permit {
   public:
    Permit() = default;
    Permit(Gate& gate, uint64_t ticket) : gate_(&gate), ticket_(ticket) {}
    Permit(Permit&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)), ticket_(other.ticket_) {}
    Permit& operator=(Permit&& other) noexcept {
      std::swap(gate_, other.gate_);
      std::swap(ticket_, other.ticket_);
      return *this;
    }
    ~Permit() {
      if (gate_) gate_->settle(ticket_, Outcome::abandoned, 0, Duration{});
    }
    bool is_held() const { return gate_ != nullptr; }
    void report(Outcome outcome, uint16_t status, Duration took) {
      if (auto* gate = std::exchange(gate_, nullptr)) gate->settle(ticket_, outcome, status, took);
    }

   private:
    Gate* gate_ = nullptr;
    uint64_t ticket_ = 0;
  };

  /// A permit, or the refusal (circuit_open).
  virtual Result<Permit> admit(Time now) = 0;

 private:
  virtual void settle(uint64_t ticket, Outcome outcome, uint16_t status, Duration took) = 0;
};

}  // namespace weir
