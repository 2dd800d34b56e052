#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "base/units.h"

namespace weir {

/// A number that one thread writes and any thread may read: a plain add, no lock prefix.
class Counter {
 public:
  void add(uint64_t count = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_ = 0;
};

/// The same for what goes up and down: its thread's share of it, so that shares add up.
class Gauge {
 public:
  void add(int64_t count = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  void subtract(int64_t count = 1) { add(-count); }
  void set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_ = 0;
};

/// Durations by fixed buckets, and their sum. One writer thread, any readers; a reader may see a duration in its
/// bucket before it sees it in the sum.
class Histogram {
 public:
  /// Upper bounds, inclusive; one more bucket takes what is longer.
  static constexpr auto kBounds = [] {
    using namespace std::chrono_literals;
    return std::array<Duration, 15>{500us, 1ms,   2500us, 5ms,    10ms, 25ms, 50ms, 100ms,
                                    250ms, 500ms, 1s,     2500ms, 5s,   10s,  30s};
  }();
  static constexpr size_t kBuckets = kBounds.size() + 1;

  void observe(Duration took) {
    buckets_[bucket_of(took)].add();
    sum_.add(took.count() > 0 ? static_cast<uint64_t>(took.count()) : 0);
  }
  uint64_t bucket(size_t index) const { return buckets_[index].value(); }
  Duration sum() const { return Duration(static_cast<int64_t>(sum_.value())); }

  static size_t bucket_of(Duration took);

 private:
  std::array<Counter, kBuckets> buckets_;
  Counter sum_;  // nanoseconds
};

}  // namespace weir
