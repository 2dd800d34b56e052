#include "base/metrics.h"

namespace weir {

size_t Histogram::bucket_of(Duration took) {
  if (took <= kBounds[0]) return 0;  // most of what is measured
  size_t bucket = 0;
  for (const Duration bound : kBounds) bucket += took > bound;
  return bucket;
}

}  // namespace weir
