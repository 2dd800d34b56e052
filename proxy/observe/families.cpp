#include "observe/families.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <vector>

namespace weir::observe {

namespace {

constexpr std::string_view kPrefix = "weir_";

enum class Quotes : bool { keep, escape };

void append_escaped(std::string& out, std::string_view text, Quotes quotes) {
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || (c == '"' && quotes == Quotes::escape)) out += '\\';
    out += c;
  }
}

void append_number(std::string& out, double value) {
  constexpr double kExact = 1e15;  // whole numbers below are written without an exponent
  if (std::trunc(value) == value && std::abs(value) < kExact) {
    fmt::format_to(std::back_inserter(out), "{}", static_cast<int64_t>(value));
  } else {
    fmt::format_to(std::back_inserter(out), "{}", value);
  }
}

constexpr auto kSeconds = [] {
  std::array<double, Histogram::kBounds.size()> seconds{};
  for (size_t i = 0; i < seconds.size(); ++i) seconds[i] = std::chrono::duration<double>(Histogram::kBounds[i]).count();
  return seconds;
}();

}  // namespace

void MetricLabels::add(std::string_view name, std::string_view value) {
  if (!text_.empty()) text_ += ',';
  text_ += name;
  text_ += "=\"";
  append_escaped(text_, value, Quotes::escape);
  text_ += '"';
}

MetricLabels MetricLabels::with(std::string_view name, std::string_view value) const {
  MetricLabels more = *this;
  more.add(name, value);
  return more;
}

void HistogramTotal::add(const Histogram& histogram) {
  for (size_t i = 0; i < buckets.size(); ++i) buckets[i] += histogram.bucket(i);
  seconds += std::chrono::duration<double>(histogram.sum()).count();
}

/// OpenMetrics names a counter's family without the suffix that its samples have.
void Families::begin(std::string_view prefix, std::string_view name, std::string_view type, std::string_view help) {
  const bool is_same = family_.size() == prefix.size() + name.size() && family_.starts_with(prefix) &&
                       std::string_view(family_).substr(prefix.size()) == name;
  if (is_same) return;
  family_ = prefix;
  family_ += name;
  const std::string_view suffix = type == "counter" && format_ == Format::prometheus ? "_total" : "";
  for (const std::string_view line : {"# HELP ", "# TYPE "}) {
    text_ += line;
    text_ += family_;
    text_ += suffix;
    text_ += ' ';
    if (line == "# TYPE ") text_ += type;
    else append_escaped(text_, help, Quotes::keep);
    text_ += '\n';
  }
}

void Families::sample(std::string_view suffix, const std::string& labels, double value) {
  text_ += family_;
  text_ += suffix;
  if (!labels.empty()) {
    text_ += '{';
    text_ += labels;
    text_ += '}';
  }
  text_ += ' ';
  append_number(text_, value);
  text_ += '\n';
}

void Families::counter(std::string_view name, std::string_view help, const MetricLabels& labels, double value) {
  begin(kPrefix, name, "counter", help);
  sample("_total", labels.text(), value);
}

void Families::gauge(std::string_view name, std::string_view help, const MetricLabels& labels, double value) {
  begin(kPrefix, name, "gauge", help);
  sample("", labels.text(), value);
}

void Families::plain_gauge(std::string_view name, std::string_view help, double value) {
  begin("", name, "gauge", help);
  sample("", {}, value);
}

void Families::plain_counter(std::string_view name, std::string_view help, double value) {
  begin("", name, "counter", help);
  sample("_total", {}, value);
}

void Families::histogram_samples(const std::string& labels, std::span<const uint64_t> buckets,
                                 std::span<const double> bounds, double sum) {
  uint64_t count = 0;
  for (const uint64_t bucket : buckets) count += bucket;
  sample("_count", labels, static_cast<double>(count));
  sample("_sum", labels, sum);
  std::string bucket_labels = labels + (labels.empty() ? "le=\"" : ",le=\"");
  const size_t size = bucket_labels.size();
  uint64_t below = 0;
  for (size_t i = 0; i < buckets.size(); ++i) {
    below += buckets[i];
    bucket_labels.resize(size);
    if (i < bounds.size()) append_number(bucket_labels, bounds[i]);
    else bucket_labels += "+Inf";
    bucket_labels += '"';
    sample("_bucket", bucket_labels, static_cast<double>(below));
  }
}

void Families::histogram(std::string_view name, std::string_view help, const MetricLabels& labels,
                         const HistogramTotal& total) {
  begin(kPrefix, name, "histogram", help);
  histogram_samples(labels.text(), total.buckets, kSeconds, total.seconds);
}

void Families::histogram(std::string_view name, std::string_view help, const MetricLabels& labels,
                         const SharedHistogram& histogram) {
  begin(kPrefix, name, "histogram", help);
  std::vector<uint64_t> buckets;
  for (const auto& bucket : histogram.buckets()) buckets.push_back(static_cast<uint64_t>(bucket.value()));
  const std::vector<double> bounds(histogram.bounds().begin(), histogram.bounds().end());
  histogram_samples(labels.text(), buckets, bounds, static_cast<double>(histogram.sum()));
}

std::string Families::take() {
  if (format_ == Format::openmetrics) text_ += "# EOF\n";
  return std::move(text_);
}

}  // namespace weir::observe
