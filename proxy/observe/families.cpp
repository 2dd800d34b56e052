#include "observe/families.h"

#include <prometheus/text_serializer.h>

#include <limits>

namespace weir::observe {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

struct Families::Gathered {
  std::vector<MetricFamily> families;

  ClientMetric& add(std::string name, std::string_view help, MetricType type, MetricLabels labels) {
    if (families.empty() || families.back().name != name) {
      families.push_back({std::move(name), std::string(help), type, {}});
    }
    auto& metric = families.back().metric.emplace_back();
    for (auto& [label, value] : labels) metric.label.push_back({std::move(label), std::move(value)});
    return metric;
  }
};

namespace {

std::string prefixed(std::string_view name, std::string_view suffix = "") {
  return "weir_" + std::string(name) + std::string(suffix);
}

/// OpenMetrics names a counter's family without the suffix that its samples have.
std::string_view family_line(std::string_view line, std::string& room) {
  const bool is_comment = line.starts_with("# HELP ") || line.starts_with("# TYPE ");
  const auto name_end = line.find(' ', 7);
  if (!is_comment || name_end == std::string_view::npos || !line.substr(0, name_end).ends_with("_total")) return line;
  room = std::string(line.substr(0, name_end - 6)) + std::string(line.substr(name_end));
  return room;
}

}  // namespace

void HistogramTotal::add(const Histogram& histogram) {
  for (size_t i = 0; i < buckets.size(); ++i) buckets[i] += histogram.bucket(i);
  seconds += std::chrono::duration<double>(histogram.sum()).count();
}

Families::Families() : gathered_(std::make_unique<Gathered>()) {}
Families::~Families() = default;

void Families::counter(std::string_view name, std::string_view help, MetricLabels labels, double value) {
  gathered_->add(prefixed(name, "_total"), help, MetricType::Counter, std::move(labels)).counter.value = value;
}

void Families::gauge(std::string_view name, std::string_view help, MetricLabels labels, double value) {
  gathered_->add(prefixed(name), help, MetricType::Gauge, std::move(labels)).gauge.value = value;
}

void Families::plain_gauge(std::string name, std::string_view help, double value) {
  gathered_->add(std::move(name), help, MetricType::Gauge, {}).gauge.value = value;
}

void Families::plain_counter(std::string name, std::string_view help, double value) {
  gathered_->add(std::move(name), help, MetricType::Counter, {}).counter.value = value;
}

void Families::histogram(std::string_view name, std::string_view help, MetricLabels labels,
                         const HistogramTotal& total) {
  auto& histogram = gathered_->add(prefixed(name), help, MetricType::Histogram, std::move(labels)).histogram;
  for (size_t i = 0; i < total.buckets.size(); ++i) {
    histogram.sample_count += total.buckets[i];
    const double bound = i < Histogram::kBounds.size() ? std::chrono::duration<double>(Histogram::kBounds[i]).count()
                                                       : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back({histogram.sample_count, bound});
  }
  histogram.sample_sum = total.seconds;
}

void Families::histogram(std::string_view name, std::string_view help, MetricLabels labels,
                         const SharedHistogram& histogram) {
  auto& out = gathered_->add(prefixed(name), help, MetricType::Histogram, std::move(labels)).histogram;
  const auto bounds = histogram.bounds();
  for (const auto& bucket : histogram.buckets()) {
    out.sample_count += static_cast<uint64_t>(bucket.value());
    const auto at = out.bucket.size();
    const double bound = at < bounds.size() ? static_cast<double>(bounds[at]) : std::numeric_limits<double>::infinity();
    out.bucket.push_back({out.sample_count, bound});
  }
  out.sample_sum = static_cast<double>(histogram.sum());
}

std::string Families::prometheus() const { return prometheus::TextSerializer().Serialize(gathered_->families); }

std::string Families::openmetrics() const {
  const std::string text = prometheus();
  std::string out;
  std::string room;
  for (std::string_view rest = text; !rest.empty();) {
    const auto end = rest.find('\n');
    out += family_line(rest.substr(0, end), room);
    out += '\n';
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return out + "# EOF\n";
}

}  // namespace weir::observe
