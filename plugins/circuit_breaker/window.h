#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "plugins/circuit_breaker/settings.h"

namespace weir::plugins {

/// What came of the attempts of the last while: a ring of ten buckets. Counting is one atomic add or two; once for each
/// bucket somebody takes a lock to empty it. Any thread.
class Window {
 public:
  explicit Window(Duration length) : length_(length), width_(length / kBuckets) {}
  Duration length() const { return length_; }

  struct Counts {
    uint64_t all = 0;
    uint64_t failed = 0;
    uint64_t slow = 0;
  };
  /// `verdict` isn't neutral.
  void add(Verdict verdict, Time now);
  /// One that was counted as a success has failed.
  void spoil(Time now);
  /// Those within the last nine to ten tenths of the window.
  Counts counts(Time now) const;
  /// False only if counts(now) has nothing but successes.
  bool has_trouble(Time now) const { return turn_of(now) - trouble_.load(std::memory_order_relaxed) < kBuckets; }
  void clear();

 private:
  static constexpr int64_t kBuckets = 10;
  struct Bucket {
    std::atomic<int64_t> turn{-1};  // which tenth of a window since the clock's beginning it counts
    std::atomic<uint32_t> all{0};
    std::atomic<uint32_t> failed{0};
    std::atomic<uint32_t> slow{0};
  };
  int64_t turn_of(Time now) const { return now.time_since_epoch() / width_; }
  Bucket& bucket(Time now);
  void empty(Bucket& bucket, int64_t turn);

  Duration length_;
  Duration width_;
  std::array<Bucket, kBuckets> buckets_;
  std::atomic<int64_t> trouble_{-kBuckets};  // the turn of the last failure or slow answer
  std::mutex mutex_;                         // who empties a bucket
};

}  // namespace weir::plugins
