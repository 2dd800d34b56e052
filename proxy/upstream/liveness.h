#pragma once

#include "async/sleep.h"

namespace weir::upstream {

class Connection;

/// The block `http2` of an upstream.
struct PingSettings {
  Duration interval{};                         // of silence, until a PING is sent; 0 = no keep-alive PINGs
  Duration timeout = std::chrono::seconds(2);  // for the answer to a PING, and for the first SETTINGS
  bool operator==(const PingSettings&) const = default;
};

/// Whether the endpoint of one HTTP/2 connection still responds. Silence alone proves nothing, so a request that ended
/// without a response on a silent connection is followed by a PING (RFC 9113 section 6.7); the connection gets no new
/// streams until the answer arrives, and breaks when nothing arrives within `timeout`. Clients may provoke such
/// silence, and gRPC servers close connections that PING often between responses: two PINGs out of doubt until the
/// endpoint sends a part of a response. Without an answer, the connection breaks if the endpoint had let a timeout
/// pass; if only a client had left, it merely gets no new streams until a byte arrives. One thread.
class Liveness {
 public:
  /// Begins when the connection is established. Both references outlive it.
  Liveness(Loop& loop, Connection& connection, const PingSettings& settings);

  void use(const PingSettings& settings);
  /// New streams may be opened.
  bool is_trusted() const { return state_ <= State::pinged; }

  /// A request is about to be sent.
  void asked() {
    if (asked_since_ <= last_heard_) asked_since_ = loop_.now();
  }
  /// The first request since the last byte from the endpoint; max = none.
  Time asked_since() const { return asked_since_ > last_heard_ ? asked_since_ : Time::max(); }
  /// Bytes arrived.
  void heard();
  /// Among them a part of a response.
  void responded() { doubts_left_ = kDoubts; }
  /// The answer to the PING arrived.
  void answered();
  /// How long a stream waited: until the endpoint had let a timeout pass, or until the client left.
  enum class Waited : uint8_t { until_timeout, until_dropped };
  /// A stream has waited since `since` in vain: a PING is sent if no byte has arrived on the connection for the second
  /// half of that time. After too many PINGs, a timeout alone keeps new streams away until a byte arrives.
  void doubt(Time since, Waited waited);
  /// The connection is broken.
  void stop() { alarm_.stop(); }

 private:
  enum class State : uint8_t {
    opening,   // the endpoint's SETTINGS haven't arrived yet
    calm,      // no PING is under way
    pinged,    // a keep-alive PING is under way
    overdue,   // the first SETTINGS are late, or another byte after a timeout
    doubtful,  // a PING after a request in vain is under way
  };
  void expired();
  void rest();
  void distrust();
  void ping();
  void await_answer();

  Loop& loop_;
  Connection& connection_;
  PingSettings settings_;
  static constexpr uint8_t kDoubts = 2;

  State state_ = State::opening;
  uint8_t doubts_left_ = kDoubts;  // PINGs
  bool may_break_ = false;         // in doubt: for want of an answer
  Time last_heard_;
  Time asked_since_{};
  Time pinged_at_{};
  Alarm<Liveness, &Liveness::expired> alarm_;
};

}  // namespace weir::upstream
