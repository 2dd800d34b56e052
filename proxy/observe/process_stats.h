#pragma once

#include <cstdint>

namespace weir::observe {

/// What the kernel says of this process (Prometheus' process_* set).
struct ProcessStats {
  double cpu_seconds = 0;  // user and system
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t open_files = 0;
  uint64_t max_files = 0;
  double start_time = 0;  // seconds since 1970
};
ProcessStats process_stats();

}  // namespace weir::observe
