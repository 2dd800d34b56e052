#include "observe/gather.h"

namespace weir::observe {

namespace {

constexpr size_t kShowsZeros = 200;  // samples of a family; of more, those that are 0 are left out

}  // namespace

void gather_filters(const FilterMetrics& metrics, Families& families) {
  metrics.for_each([&](const std::string& family, FilterMetrics::Kind kind, const std::string& help,
                       const FilterMetrics::Labels& labels, int64_t value, size_t samples) {
    if (value == 0 && samples > kShowsZeros) return;
    const auto number = static_cast<double>(value);
    if (kind == FilterMetrics::Kind::counter) families.counter(family, help, MetricLabels(labels), number);
    else families.gauge(family, help, MetricLabels(labels), number);
  });
  metrics.for_each_histogram(
      [&](const std::string& family, const std::string& help, const FilterMetrics::Labels& labels,
          const SharedHistogram& histogram) { families.histogram(family, help, MetricLabels(labels), histogram); });
}

}  // namespace weir::observe
