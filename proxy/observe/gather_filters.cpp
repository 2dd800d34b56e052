#include "observe/gather.h"

namespace weir::observe {

void gather_filters(const FilterMetrics& metrics, Families& families) {
  metrics.for_each([&](const std::string& family, FilterMetrics::Kind kind, const std::string& help,
                       const FilterMetrics::Labels& labels, int64_t value) {
    const auto number = static_cast<double>(value);
    if (kind == FilterMetrics::Kind::counter) families.counter(family, help, labels, number);
    else families.gauge(family, help, labels, number);
  });
  metrics.for_each_histogram(
      [&](const std::string& family, const std::string& help, const FilterMetrics::Labels& labels,
          const SharedHistogram& histogram) { families.histogram(family, help, labels, histogram); });
}

}  // namespace weir::observe
