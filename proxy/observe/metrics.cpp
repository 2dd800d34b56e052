#include "observe/metrics.h"

#include "base/log.h"
#include "observe/gather.h"

namespace weir::observe {

WorkerMetrics& Metrics::worker(unsigned index) {
  const std::lock_guard lock(mutex_);
  while (workers_.size() <= index) workers_.push_back(std::make_unique<WorkerMetrics>());
  return *workers_[index];
}

std::shared_ptr<const CellPlan> Metrics::prepare(const Labels& labels, unsigned workers) {
  auto plan = names_.plan(labels);
  for (unsigned i = 0; i < workers; ++i) worker(i).reserve(*plan);
  return plan;
}

void Metrics::reload_succeeded(std::chrono::system_clock::time_point when) {
  ++reloads_ok_;
  loaded(when);
}

void Metrics::loaded(std::chrono::system_clock::time_point when) {
  last_ok_ = true;
  last_success_ = std::chrono::duration_cast<std::chrono::seconds>(when.time_since_epoch()).count();
}

void Metrics::reload_failed() {
  ++reloads_failed_;
  last_ok_ = false;
}

void Metrics::gather_configuration(Families& families) const {
  families.gauge("build_info", "Always 1", {{"version", build_.version}, {"commit", build_.commit}}, 1);
  families.counter("reloads", "Reloads by their outcome", {{"result", "success"}},
                   static_cast<double>(reloads_ok_.load()));
  families.counter("reloads", "Reloads by their outcome", {{"result", "failure"}},
                   static_cast<double>(reloads_failed_.load()));
  families.gauge("config_last_reload_success", "1 unless the last reload failed", {}, last_ok_);
  families.gauge("config_last_reload_success_timestamp_seconds", "When a configuration last took effect", {},
                 static_cast<double>(last_success_.load()));
}

void Metrics::gather_logs(Families& families) const {
  families.counter("access_log_dropped_lines",
                   "Access log lines that were not written: the reader or disk was too slow, full or gone", {},
                   static_cast<double>(dropped_access_lines_->load(std::memory_order_relaxed)));
  families.counter("process_log_dropped_lines", "Lines of the process log that were not written to stderr", {},
                   static_cast<double>(log::dropped_lines()));
}

Exposition Metrics::expose(std::string_view accept, const std::vector<EndpointSample>& endpoints,
                           const std::vector<CertificateSample>& certificates, const FilterMetrics* filters) const {
  Workers workers;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& worker : workers_) workers.push_back(worker.get());
  }
  const bool is_open = accept.find("application/openmetrics-text") != std::string_view::npos;
  Families families(is_open ? Families::Format::openmetrics : Families::Format::prometheus);
  gather_configuration(families);
  gather_logs(families);
  gather_workers(names_, workers, families);
  gather_turns(workers, families);
  gather_endpoints(endpoints, families);
  gather_certificates(certificates, families);
  if (filters) gather_filters(*filters, families);
  gather_process(families);
  return {is_open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                  : "text/plain; version=0.0.4; charset=utf-8",
          families.take()};
}

}  // namespace weir::observe
