#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/metrics.h"
#include "exchange/filter_metrics.h"

namespace weir::observe {

/// Histograms of the same thing, added up over workers.
struct HistogramTotal {
  std::array<uint64_t, Histogram::kBuckets> buckets{};
  double seconds = 0;

  void add(const Histogram& histogram);
};

/// Labels as a sample shows them: `upstream="pool",code="2xx"`.
class MetricLabels {
 public:
  MetricLabels() = default;
  MetricLabels(std::initializer_list<std::pair<std::string_view, std::string_view>> labels) {
    for (const auto& [name, value] : labels) add(name, value);
  }
  explicit MetricLabels(const FilterMetrics::Labels& labels) {
    for (const auto& [name, value] : labels) add(name, value);
  }
  void add(std::string_view name, std::string_view value);
  MetricLabels with(std::string_view name, std::string_view value) const;

  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// Metric families as a scrape gathers them, written as text at once. Names come without their `weir_`, those of
/// counters without their `_total`. Samples of one family are added one after the other.
class Families {
 public:
  enum class Format : uint8_t { prometheus, openmetrics };  // text format 0.0.4, or OpenMetrics 1.0
  explicit Families(Format format) : format_(format) {}

  void counter(std::string_view name, std::string_view help, const MetricLabels& labels, double value);
  void gauge(std::string_view name, std::string_view help, const MetricLabels& labels, double value);
  void histogram(std::string_view name, std::string_view help, const MetricLabels& labels, const HistogramTotal& total);
  void histogram(std::string_view name, std::string_view help, const MetricLabels& labels,
                 const SharedHistogram& histogram);
  /// A family whose whole name is set by convention: process_open_fds.
  void plain_gauge(std::string_view name, std::string_view help, double value);
  void plain_counter(std::string_view name, std::string_view help, double value);

  /// All of it. Nothing is added afterwards.
  std::string take();

 private:
  void begin(std::string_view prefix, std::string_view name, std::string_view type, std::string_view help);
  void sample(std::string_view suffix, const std::string& labels, double value);
  void histogram_samples(const std::string& labels, std::span<const uint64_t> buckets, std::span<const double> bounds,
                         double sum);

  const Format format_;
  std::string family_;  // the one that samples are added to, with its prefix
  std::string text_;
};

}  // namespace weir::observe
