#include "observe/gather.h"
#include "observe/process_stats.h"

namespace weir::observe {

void gather_process(Families& families) {
  const ProcessStats stats = process_stats();
  families.plain_counter("process_cpu_seconds", "CPU time, user and system", stats.cpu_seconds);
  families.plain_gauge("process_resident_memory_bytes", "Resident memory", static_cast<double>(stats.resident_bytes));
  families.plain_gauge("process_virtual_memory_bytes", "Virtual memory", static_cast<double>(stats.virtual_bytes));
  families.plain_gauge("process_open_fds", "Open file descriptors", static_cast<double>(stats.open_files));
  families.plain_gauge("process_max_fds", "File descriptors allowed", static_cast<double>(stats.max_files));
  families.plain_gauge("process_start_time_seconds", "Start, in seconds since 1970", stats.start_time);
}

}  // namespace weir::observe
