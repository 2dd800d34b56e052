#include "plugins/circuit_breaker/window.h"

namespace weir::plugins {

Window::Bucket& Window::bucket(Time now) {
  const int64_t turn = turn_of(now);
  Bucket& bucket = buckets_[static_cast<size_t>(turn % kBuckets)];
  if (bucket.turn.load(std::memory_order_acquire) < turn) {
    const std::lock_guard lock(mutex_);
    if (bucket.turn.load(std::memory_order_relaxed) < turn) empty(bucket, turn);
  }
  return bucket;
}

void Window::empty(Bucket& bucket, int64_t turn) {
  bucket.all.store(0, std::memory_order_relaxed);
  bucket.failed.store(0, std::memory_order_relaxed);
  bucket.slow.store(0, std::memory_order_relaxed);
  bucket.turn.store(turn, std::memory_order_release);
}

void Window::add(Verdict verdict, Time now) {
  Bucket& here = bucket(now);
  here.all.fetch_add(1, std::memory_order_relaxed);
  if (verdict == Verdict::success) return;
  (verdict == Verdict::slow ? here.slow : here.failed).fetch_add(1, std::memory_order_relaxed);
  trouble_.store(turn_of(now), std::memory_order_relaxed);
}

void Window::spoil(Time now) {
  Bucket& here = bucket(now);
  here.failed.fetch_add(1, std::memory_order_relaxed);
  trouble_.store(turn_of(now), std::memory_order_relaxed);
}

Window::Counts Window::counts(Time now) const {
  Counts sum;
  const int64_t turn = turn_of(now);
  for (const Bucket& bucket : buckets_) {
    if (turn - bucket.turn.load(std::memory_order_acquire) >= kBuckets) continue;
    sum.all += bucket.all.load(std::memory_order_relaxed);
    sum.failed += bucket.failed.load(std::memory_order_relaxed);
    sum.slow += bucket.slow.load(std::memory_order_relaxed);
  }
  if (sum.all < sum.failed) sum.all = sum.failed;  // spoilt ones whose success was counted before the window
  return sum;
}

void Window::clear() {
  const std::lock_guard lock(mutex_);
  for (Bucket& bucket : buckets_) empty(bucket, -1);
  trouble_.store(-kBuckets, std::memory_order_relaxed);
}

}  // namespace weir::plugins
