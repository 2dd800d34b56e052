#pragma once

#include <atomic>
#include <optional>
#include <utility>

#include "base/units.h"

namespace weir::upstream {

/// Leaves an endpoint alone to which no connection can be made: after three failures in a row for one second, then, as
/// long as one attempt after each pause fails, for twice as long, up to 30 s. Any thread; without a failure it costs
/// one relaxed load.
class ConnectBackoff {
 public:
  static constexpr uint32_t kFailures = 3;
  static constexpr Duration kFirstPause = std::chrono::seconds(1);
  static constexpr Duration kLongestPause = std::chrono::seconds(30);

  bool is_paused(Time now) const { return now < until_.load(std::memory_order_relaxed); }
  bool is_failing() const { return failures_.load(std::memory_order_relaxed) >= kFailures; }
  uint32_t failures() const { return failures_.load(std::memory_order_relaxed); }
  Time until() const { return until_.load(std::memory_order_relaxed); }

  /// Held by the one attempt that is let through when a pause is over. Without a result, the next one is let through at
  /// once. Empty for all other attempts.
  class Probe {
   public:
    Probe() = default;
    Probe(Probe&& other) noexcept : backoff_(std::exchange(other.backoff_, nullptr)) {}
    Probe& operator=(Probe&& other) noexcept {
      std::swap(backoff_, other.backoff_);
      return *this;
    }
    ~Probe() {
      if (backoff_) backoff_->hand_on();
    }

   private:
    friend ConnectBackoff;
    explicit Probe(ConnectBackoff& backoff) : backoff_(&backoff) {}
    ConnectBackoff* backoff_ = nullptr;  // outlives the probe
  };
  /// Lets an attempt through, or doesn't: the pause is over, and a probe under way. During a pause it does: then no
  /// other endpoint is left.
  std::optional<Probe> claim(Time now);
  /// A connection failed. True when the endpoint is left alone from here on.
  bool failed(Time now);
  /// A connection was made, or a response came. True when the endpoint had been left alone.
  bool reached() { return failures_.load(std::memory_order_relaxed) != 0 && forget(); }

 private:
  bool forget();
  void hand_on();
  static Duration pause_after(uint32_t failures);

  std::atomic<Time> until_{Time::min()};
  std::atomic<uint32_t> failures_{0};    // in a row; above kFailures, one for each pause
  std::atomic<bool> is_claimed_{false};  // an attempt is under way whose failure counts
};

}  // namespace weir::upstream
