#pragma once

#include <algorithm>
#include <atomic>

namespace weir::upstream {

/// The share of an endpoint's latest attempts that failed, a moving average: each attempt counts an eighth. For
/// balancers that look at requests in flight, since an endpoint that fails at once has few of them. Any thread; one
/// lost between two that come at once does no harm.
class FailingShare {
 public:
  void observe(bool has_failed) {
    const float share = value();
    if (share == 0 && !has_failed) return;
    const float next = share + ((has_failed ? 1.0f : 0.0f) - share) / 8;
    value_.store(next < kLeast ? 0 : next, std::memory_order_relaxed);
  }
  /// 0 to 1.
  float value() const { return value_.load(std::memory_order_relaxed); }
  /// How little it counts that attempts are quick: 1 when half of them fail.
  double discount() const { return std::min(1.0, 2.0 * value()); }
  /// An endpoint's `cost` beside that of `others`.
  double at_least(double cost, double others) const {
    return cost < others ? cost + discount() * (others - cost) : cost;
  }

 private:
  static constexpr float kLeast = 0.01f;
  std::atomic<float> value_{0};
};

}  // namespace weir::upstream
