#pragma once

#include <atomic>

#include "base/units.h"

namespace weir::upstream {

/// An endpoint's peak-sensitive moving average (Finagle's): a slow sample counts at once, fast ones bring it down
/// over ten seconds. Any thread; a sample lost between two that come at once does no harm.
class Latency {
 public:
  void observe(Duration sample, Time now);
  bool is_measured() const { return sampled_.load(std::memory_order_relaxed) != Time::min(); }
  /// Nanoseconds; decays with the time since the last sample, so that an endpoint left alone is tried again.
  double at(Time now) const;

 private:
  std::atomic<double> average_{0};
  std::atomic<Time> sampled_{Time::min()};
};

/// How long an endpoint usually takes, to be looked at: each sample moves it by an eighth of the way. Any thread; one
/// lost between two that come at once does no harm. Costs one relaxed store a sample.
class UsualLatency {
 public:
  void observe(Duration sample) {
    const Duration usual = value();
    value_.store(usual == Duration{} ? sample : usual + (sample - usual) / 8, std::memory_order_relaxed);
  }
  /// 0 = nothing observed yet.
  Duration value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<Duration> value_{Duration{}};
};

}  // namespace weir::upstream
