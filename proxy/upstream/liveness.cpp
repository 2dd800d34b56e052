#include "upstream/liveness.h"

#include <algorithm>

#include "upstream/connection.h"

namespace weir::upstream {

Liveness::Liveness(Loop& loop, Connection& connection, const PingSettings& settings)
    : loop_(loop), connection_(connection), settings_(settings), last_heard_(loop.now()), alarm_(loop, *this) {
  alarm_.start(settings_.timeout);
}

void Liveness::use(const PingSettings& settings) {
  if (settings == settings_) return;
  settings_ = settings;
  if (state_ == State::calm) rest();
}

/// The alarm is left alone: when it goes off, it looks at the time of the last byte. A busy connection sets no timer.
void Liveness::heard() {
  last_heard_ = loop_.now();
  if (state_ != State::opening && state_ != State::overdue) return;
  const bool was_overdue = state_ == State::overdue;
  rest();
  if (was_overdue) connection_.regained_trust();
}

void Liveness::answered() {
  if (state_ != State::pinged && state_ != State::doubtful) return;
  const bool was_doubtful = state_ == State::doubtful;
  rest();
  if (was_doubtful) connection_.regained_trust();
}

void Liveness::doubt(Time since, Waited waited) {
  const Time now = loop_.now();
  if (now - last_heard_ < (now - since) / 2) return;
  if (state_ == State::doubtful) {
    may_break_ = may_break_ || waited == Waited::until_timeout;
    return;
  }
  if (state_ != State::pinged) {
    if (doubts_left_ == 0) return waited == Waited::until_timeout ? distrust() : void();
    --doubts_left_;
    ping();
  }
  may_break_ = waited == Waited::until_timeout || state_ == State::pinged;
  state_ = State::doubtful;
}

/// With keep-alive PINGs, the next one tells.
void Liveness::distrust() {
  state_ = State::overdue;
  alarm_.stop();
  if (settings_.interval > Duration{}) alarm_.start(settings_.interval);
}

/// Until the next keep-alive PING, if there are any.
void Liveness::rest() {
  state_ = State::calm;
  alarm_.stop();
  if (settings_.interval > Duration{}) alarm_.start_at(last_heard_ + settings_.interval);
}

void Liveness::ping() {
  pinged_at_ = loop_.now();
  alarm_.start(settings_.timeout);
  connection_.ping();
}

void Liveness::expired() {
  switch (state_) {
    case State::opening: state_ = State::overdue; return connection_.lost_trust();
    case State::calm:
      if (loop_.now() < last_heard_ + settings_.interval) return rest();
      ping();
      state_ = State::pinged;
      return;
    case State::overdue:
      ping();
      state_ = State::doubtful;
      may_break_ = true;
      return;
    case State::pinged:
    case State::doubtful: return await_answer();
  }
}

/// The answer may wait behind other bytes on their way: it has time as long as any arrive.
void Liveness::await_answer() {
  const Time until = std::max(pinged_at_, last_heard_) + settings_.timeout;
  if (loop_.now() < until) return alarm_.start_at(until);
  if (state_ == State::doubtful && !may_break_) {
    distrust();
    return connection_.lost_trust();
  }
  connection_.fell_silent();
}

}  // namespace weir::upstream
