#include "observe/process_stats.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace weir::observe {

namespace {

/// Field 22 of /proc/self/stat: clock ticks between the machine's start and ours. The name in field 2 may have spaces.
double ticks_at_start() {
  std::ifstream file("/proc/self/stat");
  std::string stat((std::istreambuf_iterator<char>(file)), {});
  std::istringstream fields(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)));
  std::string field;
  for (int i = 3; i <= 22; ++i) fields >> field;
  return field.empty() ? 0 : std::stod(field);
}

double boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("btime ")) return std::stod(line.substr(6));
  }
  return 0;
}

double seconds(const timeval& time) { return static_cast<double>(time.tv_sec) + time.tv_usec / 1e6; }

uint64_t count_open_files() {
  std::error_code error;
  const std::filesystem::directory_iterator files("/proc/self/fd", error);
  return error ? 0 : std::distance(begin(files), end(files)) - 1;  // without the directory's own
}

}  // namespace

ProcessStats process_stats() {
  ProcessStats stats;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  stats.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  uint64_t size = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  stats.virtual_bytes = size * page;
  stats.resident_bytes = resident * page;
  stats.open_files = count_open_files();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.max_files = limit.rlim_cur;
  static const double start = boot_time() + ticks_at_start() / static_cast<double>(sysconf(_SC_CLK_TCK));
  stats.start_time = start;
  return stats;
}

}  // namespace weir::observe
