#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/log_writer.h"
#include "exchange/filter_metrics.h"
#include "observe/cell_names.h"

namespace weir::observe {

class Families;

/// One endpoint at the moment of a scrape, as `upstream/` knows it. Texts outlive the scrape.
struct EndpointSample {
  std::string_view upstream;
  std::string_view endpoint;  // "127.0.0.1:9001"
  bool up = true;
  std::string_view health = "up";  // or "down", "ejected" …
  int64_t active = 0;              // attempts under way
  int64_t connections = 0;         // open, idle ones too
  uint64_t requests = 0;
  uint64_t failures = 0;
};

/// A certificate that a listener shows.
struct CertificateSample {
  std::string listener;
  std::string certificate;  // its file, as the configuration names it
  std::chrono::sys_seconds not_after;
};

struct Build {
  std::string version;
  std::string commit;  // may be empty
};

/// A rendered scrape.
struct Exposition {
  std::string content_type;
  std::string text;
};

/// What `weir status` shows of the workers, added up.
struct WorkersOverview {
  struct Listener {
    std::string name;
    int64_t open = 0;  // connections
    uint64_t accepted = 0;
  };
  std::vector<Listener> listeners;
  int64_t requests_in_flight = 0;
  // Turns of the event loops since the start, as upper bounds; infinite: longer than the last bound of Histogram.
  Duration most_turns{};  // 99 of 100
  Duration longest_turn{};
  uint64_t stuck_turns = 0;
  std::vector<RecentFailure> failures;
};

/// The process' metrics: one WorkerMetrics for each worker, whose cells a scrape adds up, and what belongs to the
/// process alone. Outlives the workers, and reloads: no counter ever goes back. Any thread, unless told otherwise.
class Metrics {
 public:
  explicit Metrics(Build build) : build_(std::move(build)) {}

  /// Makes them on first use; a worker that comes back after a reload finds its old ones.
  WorkerMetrics& worker(unsigned index);
  /// The cells of a snapshot, with room for them on the first `workers` workers. One thread at a time.
  std::shared_ptr<const CellPlan> prepare(const Labels& labels, unsigned workers);

  /// The configuration that the process started with.
  void loaded(std::chrono::system_clock::time_point when);
  void reload_succeeded(std::chrono::system_clock::time_point when);
  void reload_failed();

  WorkersOverview overview() const;

  /// Where writers of the access log count the lines that they drop.
  const DroppedLines& dropped_access_lines() const { return dropped_access_lines_; }

  /// Prometheus text 0.0.4, or OpenMetrics 1.0 when `accept` names it. Endpoints come upstream by upstream. Takes
  /// milliseconds where there are thousands of routes: not for a thread that serves requests.
  Exposition expose(std::string_view accept, const std::vector<EndpointSample>& endpoints = {},
                    const std::vector<CertificateSample>& certificates = {},
                    const FilterMetrics* filters = nullptr) const;

 private:
  void gather_configuration(Families& families) const;
  void gather_logs(Families& families) const;

  Build build_;
  CellNames names_;
  mutable std::mutex mutex_;  // of the list, not of the cells
  std::vector<std::unique_ptr<WorkerMetrics>> workers_;
  std::atomic<uint64_t> reloads_ok_ = 0;
  std::atomic<uint64_t> reloads_failed_ = 0;
  std::atomic<int64_t> last_success_ = 0;  // seconds since 1970
  std::atomic<bool> last_ok_ = true;
  DroppedLines dropped_access_lines_ = std::make_shared<std::atomic<uint64_t>>(0);
};

}  // namespace weir::observe
