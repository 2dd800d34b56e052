#pragma once

#include <atomic>
#include <cstdint>

namespace weir::upstream {

/// What an Outlier counts of one endpoint. A line of its own, so that counting disturbs nobody who chooses.
struct alignas(64) OutlierCounts {
  // In a row.
  std::atomic<uint32_t> errors{0};
  std::atomic<uint32_t> gateway_failures{0};
  std::atomic<uint32_t> local_failures{0};
  // In this interval.
  std::atomic<uint32_t> total{0};
  std::atomic<uint32_t> good{0};

  void forget_rows() {
    errors.store(0, std::memory_order_relaxed);
    gateway_failures.store(0, std::memory_order_relaxed);
    local_failures.store(0, std::memory_order_relaxed);
  }
};

}  // namespace weir::upstream
