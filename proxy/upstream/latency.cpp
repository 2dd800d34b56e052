#include "upstream/latency.h"

#include <cmath>

namespace weir::upstream {

namespace {

constexpr Duration kTau = std::chrono::seconds(10);

double decay(Duration passed) {
  return passed <= Duration::zero() ? 1 : std::exp(-static_cast<double>(passed.count()) / kTau.count());
}

}  // namespace

void Latency::observe(Duration sample, Time now) {
  const auto x = static_cast<double>(sample.count());
  const Time before = sampled_.exchange(now, std::memory_order_relaxed);
  double average = average_.load(std::memory_order_relaxed);
  double next = x;
  do {
    if (before == Time::min() || x > average) {
      next = x;
    } else {
      const double kept = decay(now - before);
      next = average * kept + x * (1 - kept);
    }
  } while (!average_.compare_exchange_weak(average, next, std::memory_order_relaxed));
}

double Latency::at(Time now) const {
  const Time sampled = sampled_.load(std::memory_order_relaxed);
  if (sampled == Time::min()) return 0;
  return average_.load(std::memory_order_relaxed) * decay(now - sampled);
}

}  // namespace weir::upstream
