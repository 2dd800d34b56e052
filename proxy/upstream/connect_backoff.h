#pragma once

#include <atomic>
#include <optional>
#include <utility>

#include "base/units.h"

namespace weir::upstream {

/// Leaves an endpoint alone to which no connection can be made: after three failures in a row for one second, then, as
/// long as one attempt after each pause fails, for twice as long, up to 30 s. Any thread; without a failure it costs
/// two relaxed loads.
///
/// An endpoint that takes connections and closes them without a byte (a port that a dead process left behind a
/// forwarder) is left alone, too. One client may provoke such an end by a request that kills its server, so these ends
/// count only if the endpoint answered nobody meanwhile: three in a row that span a second. An endpoint that other
/// clients use answers within that second, which clears the row, however often and by however many addresses the
/// request is repeated. After such a pause all requests are let through for another second, not only one probe: the
/// probe could always be that request.
class ConnectBackoff {
 public:
  static constexpr uint32_t kFailures = 3;
  static constexpr Duration kFirstPause = std::chrono::seconds(1);
  static constexpr Duration kLongestPause = std::chrono::seconds(30);

  bool is_paused(Time now) const { return now < until_.load(std::memory_order_relaxed); }
  /// Failures in a row: to connect, and connections that ended without a byte.
  uint32_t failures() const {
    return failures_.load(std::memory_order_relaxed) + unanswered_.load(std::memory_order_relaxed);
  }
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
  /// A fresh connection, on which a request was sent, ended without a byte of a response. True when the endpoint is
  /// left alone from here on.
  bool ended_unanswered(Time now);
  /// A connection was made. True when the endpoint had been left alone and isn't any longer. Connections that end
  /// without a byte were made, too: those are forgotten at a response.
  bool connected() { return failures_.load(std::memory_order_relaxed) != 0 && forget_failures(); }
  /// A response came, or a health check passed. True when the endpoint had been left alone.
  bool responded() {
    return (failures_.load(std::memory_order_relaxed) | unanswered_.load(std::memory_order_relaxed)) != 0 && forget();
  }

 private:
  static constexpr Duration kUnansweredSpan = std::chrono::seconds(1);

  bool forget();
  bool forget_failures();
  void hand_on();
  static Duration pause_after(uint32_t failures);

  std::atomic<Time> until_{Time::min()};
  std::atomic<uint32_t> failures_{0};                // in a row; above kFailures, one for each pause
  std::atomic<bool> is_claimed_{false};              // an attempt is under way whose failure counts
  std::atomic<uint32_t> unanswered_{0};              // connections that ended without a byte, in a row
  std::atomic<Time> unanswered_since_{Time::max()};  // the row's first one, or the end of the last pause
  std::atomic<uint32_t> unanswered_pauses_{0};       // in a row
};

}  // namespace weir::upstream
