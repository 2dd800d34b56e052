#include "plugins/hedge/tail_latency.h"

#include <algorithm>
#include <bit>

namespace weir::plugins {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

}  // namespace

size_t TailLatency::bucket_of(Duration took) {
  const auto count = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  const auto us = static_cast<uint64_t>(std::max<int64_t>(count, 8));
  const auto power = static_cast<size_t>(std::bit_width(us)) - 1;
  return std::min((power - 3) * 8 + ((us >> (power - 3)) & 7), kBuckets - 1);
}

Duration TailLatency::end_of(size_t bucket) {
  const uint64_t us = (8 + bucket % 8 + 1) << (bucket / 8);
  return std::chrono::microseconds(us);
}

void TailLatency::observe(Duration took) {
  const uint64_t number = count_.fetch_add(1, kRelaxed);
  auto& generation = generations_[number / kGeneration % 2];
  if (number % kGeneration == 0) {
    for (auto& bucket : generation.buckets) bucket.store(0, kRelaxed);
  }
  generation.buckets[bucket_of(took)].fetch_add(1, kRelaxed);
  if (number + 1 >= kEnough && (number + 1) % kStep == 0) look();
}

void TailLatency::look() {
  uint64_t total = 0;
  std::array<uint64_t, kBuckets> counts{};
  for (const auto& generation : generations_) {
    for (size_t i = 0; i < kBuckets; ++i) {
      const auto count = generation.buckets[i].load(kRelaxed);
      counts[i] += count;
      total += count;
    }
  }
  uint64_t above = total / 20;  // the slowest 5%
  size_t bucket = kBuckets - 1;
  while (bucket > 0 && counts[bucket] <= above) above -= counts[bucket--];
  p95_.store(end_of(bucket).count(), kRelaxed);
}

std::optional<Duration> TailLatency::p95() const {
  const auto known = p95_.load(kRelaxed);
  return known == 0 ? std::nullopt : std::optional(Duration(known));
}

}  // namespace weir::plugins
