#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/metrics.h"
#include "exchange/filter_metrics.h"

namespace weir::observe {

/// Histograms of the same thing, added up over workers.
struct HistogramTotal {
  std::array<uint64_t, Histogram::kBuckets> buckets{};
  double seconds = 0;

  void add(const Histogram& histogram);
};

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

/// Metric families as a scrape gathers them; names come without their `weir_`, those of counters without
/// their `_total`. Samples of one family are added one after the other.
class Families {
 public:
  Families();
  ~Families();

  void counter(std::string_view name, std::string_view help, MetricLabels labels, double value);
  void gauge(std::string_view name, std::string_view help, MetricLabels labels, double value);
  void histogram(std::string_view name, std::string_view help, MetricLabels labels, const HistogramTotal& total);
  void histogram(std::string_view name, std::string_view help, MetricLabels labels, const SharedHistogram& histogram);
  /// A family whose whole name is set by convention: process_open_fds.
  void plain_gauge(std::string name, std::string_view help, double value);
  void plain_counter(std::string name, std::string_view help, double value);

  std::string prometheus() const;   // text format 0.0.4
  std::string openmetrics() const;  // 1.0

 private:
  struct Gathered;
  std::unique_ptr<Gathered> gathered_;
};

}  // namespace weir::observe
