#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "base/units.h"

namespace weir::plugins {

/// The time that 95 of 100 responses took at most, of the last one to two thousand. A slot of process_state: any
/// thread, no locks; within 13%.
class TailLatency {
 public:
  struct Settings {};
  static bool compatible(const Settings&, const Settings&) { return true; }
  explicit TailLatency(const Settings& = {}) {}

  void observe(Duration took);
  /// Nothing before there have been enough.
  std::optional<Duration> p95() const;

 private:
  static constexpr uint32_t kGeneration = 1000;
  static constexpr uint32_t kEnough = 100;
  static constexpr uint32_t kStep = 20;    // observations between two looks at all of them
  static constexpr size_t kBuckets = 256;  // eight to each power of two, in microseconds
  static size_t bucket_of(Duration took);
  static Duration end_of(size_t bucket);
  void look();

  struct Generation {
    std::array<std::atomic<uint32_t>, kBuckets> buckets{};
  };
  std::array<Generation, 2> generations_;
  std::atomic<uint64_t> count_{0};
  std::atomic<Duration::rep> p95_{0};  // 0 = not known
};

}  // namespace weir::plugins
