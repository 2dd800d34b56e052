#include "upstream/connect_backoff.h"

#include <algorithm>

namespace weir::upstream {

Duration ConnectBackoff::pause_after(uint32_t failures) {
  const uint32_t doublings = std::min(failures - kFailures, 5u);
  return std::min(kFirstPause * (1 << doublings), kLongestPause);
}

std::optional<ConnectBackoff::Probe> ConnectBackoff::claim(Time now) {
  const uint32_t failures = failures_.load(std::memory_order_relaxed);
  if (failures < kFailures) return Probe();
  Time until = until_.load(std::memory_order_relaxed);
  if (now < until) return Probe();
  if (!until_.compare_exchange_strong(until, now + pause_after(failures))) return std::nullopt;
  is_claimed_ = true;
  return Probe(*this);
}

/// Nothing to do when a result has come.
void ConnectBackoff::hand_on() {
  if (is_claimed_.exchange(false)) until_ = Time::min();
}

/// Many attempts may fail at once: of those that began before a pause, none makes it longer.
bool ConnectBackoff::failed(Time now) {
  uint32_t failures = failures_.load();
  while (failures < kFailures) {
    if (!failures_.compare_exchange_weak(failures, failures + 1)) continue;
    if (failures + 1 < kFailures) return false;
    until_ = now + pause_after(kFailures);
    return true;
  }
  if (is_claimed_.exchange(false)) until_ = now + pause_after(++failures_);
  return false;
}

/// Many threads may come here at once: one of them begins the pause.
bool ConnectBackoff::ended_unanswered(Time now) {
  const uint32_t row = ++unanswered_;
  Time since = unanswered_since_.load();
  if (since == Time::max()) unanswered_since_.compare_exchange_strong(since, now);
  if (row < kFailures || since > now - kUnansweredSpan) return false;
  const uint32_t pauses = unanswered_pauses_.load();
  const Time until = now + pause_after(kFailures + pauses);
  if (!unanswered_since_.compare_exchange_strong(since, until)) return false;
  unanswered_pauses_ = pauses + 1;
  until_ = until;
  return pauses == 0;
}

/// A pause for connections that ended unanswered goes on.
bool ConnectBackoff::forget_failures() {
  const bool was_failing = failures_.exchange(0) >= kFailures;
  if (unanswered_pauses_.load() > 0) return false;
  until_ = Time::min();
  is_claimed_ = false;
  return was_failing;
}

bool ConnectBackoff::forget() {
  const bool was_failing = failures_.exchange(0) >= kFailures || unanswered_pauses_.load() > 0;
  unanswered_ = 0;
  unanswered_pauses_ = 0;
  unanswered_since_ = Time::max();
  until_ = Time::min();
  is_claimed_ = false;
  return was_failing;
}

}  // namespace weir::upstream
