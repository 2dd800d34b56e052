#pragma once

#include <memory>
#include <utility>

#include "base/result.h"
#include "base/units.h"
#include "exchange/attempt.h"

namespace weir {

class Exchange;

/// How an attempt ended, as a Gate is told.
struct Finish {
  Outcome outcome = Outcome::abandoned;
  uint16_t status = 0;  // when answered
  Duration took{};      // from the end of the request until the response's head, or until it was given up
  Time now{};
  bool is_spared = false;  // a failure isn't one of what the gate guards
};

/// Who decides when an attempt has its answer: its endpoint alone, or its client, too (an upload, a gRPC call, a
/// tunnel).
enum class Needs : uint8_t { endpoint, client };
Needs needs_of(const Exchange& exchange);

/// Who asks a Gate for leave. What it is made of is looked at only where it matters: by a half-open circuit.
class Asker {
 public:
  Asker(Exchange& exchange) : exchange_(&exchange) {}
  /// `client`: 0 = of no client.
  Asker(Needs needs = Needs::endpoint, uint64_t client = 0) : needs_(needs), client_(client) {}

  Needs needs() const { return exchange_ ? needs_of(*exchange_) : needs_; }
  /// A number of the client's network, never 0.
  uint64_t client() const;

 private:
  Exchange* exchange_ = nullptr;
  Needs needs_ = Needs::endpoint;
  uint64_t client_ = 0;
};

/// Decides whether an attempt may go to an upstream or an endpoint: a circuit breaker. Shared by all workers,
/// so thread-safe.
class Gate {
 public:
  virtual ~Gate() = default;

  /// Leave for one attempt, of a Gate that lives longer. Destroyed without a report, it counts neutral and gives its
  /// slot back.
  class Permit {
   public:
    Permit() = default;
    Permit(Gate& gate, uint64_t ticket, bool is_probe = false) : gate_(&gate), ticket_(ticket), is_probe_(is_probe) {}
    Permit(Permit&& other) noexcept
        : gate_(std::exchange(other.gate_, nullptr)),
          ticket_(other.ticket_),
          is_probe_(other.is_probe_),
          is_reported_(other.is_reported_),
          is_spared_(other.is_spared_) {}
    Permit& operator=(Permit&& other) noexcept {
      std::swap(gate_, other.gate_);
      std::swap(ticket_, other.ticket_);
      std::swap(is_probe_, other.is_probe_);
      std::swap(is_reported_, other.is_reported_);
      std::swap(is_spared_, other.is_spared_);
      return *this;
    }
    ~Permit() {
      if (gate_ && !is_reported_) gate_->settle(ticket_, {});
    }
    /// The attempt doesn't take place, and that is not its client's doing.
    void withdraw() {
      if (auto* const gate = std::exchange(gate_, nullptr); gate && !is_reported_)
        gate->settle(ticket_, {.outcome = Outcome::unable});
    }
    /// If the attempt fails, that says nothing about what the gate guards. Before that is reported.
    void spare() { is_spared_ = true; }
    bool is_held() const { return gate_ != nullptr; }
    /// What comes of it decides whether more may follow.
    bool is_probe() const { return is_probe_; }
    /// Once, at the response's head or when there will be none. A second time if that response broke off later.
    void report(Finish finish) {
      if (!gate_) return;
      finish.is_spared = is_spared_;
      if (!std::exchange(is_reported_, true)) {
        if (!gate_->settle(ticket_, finish)) gate_ = nullptr;
      } else if (finish.outcome == Outcome::broken || finish.outcome == Outcome::timed_out) {
        auto* const gate = std::exchange(gate_, nullptr);
        if (!is_spared_) gate->spoil(ticket_, finish);
      }
    }

   private:
    Gate* gate_ = nullptr;
    uint64_t ticket_ = 0;
    bool is_probe_ = false;
    bool is_reported_ = false;
    bool is_spared_ = false;
  };

  /// A permit, or the refusal (circuit_open, safe to send elsewhere).
  virtual Result<Permit> admit(Time now, const Asker& asker) = 0;
  /// Whether it would just now, without asking for a permit: for balancers that look elsewhere.
  virtual bool would_admit(Time now, const Asker& asker) const = 0;
  /// While it refuses: for how long still, as far as is known.
  virtual Duration refuses_for(Time now) const = 0;
  /// The endpoint is known to be well again: what was counted before says nothing about it.
  virtual void recovered(Time) {}

 private:
  /// Whether that counted as a success.
  virtual bool settle(uint64_t ticket, const Finish& finish) = 0;
  /// What counted as a success was none.
  virtual void spoil(uint64_t ticket, const Finish& finish) = 0;
};

/// `exchange` fails with `error`; the client is asked to come back in `wait`, at least a second (Retry-After).
void fail_for(Exchange& exchange, const Error& error, Duration wait);

}  // namespace weir
