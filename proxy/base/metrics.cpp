#include "base/metrics.h"

namespace weir {

size_t Histogram::bucket_of(Duration took) {
  size_t bucket = 0;
  for (const Duration bound : kBounds) bucket += took > bound;
  return bucket;
}

}  // namespace weir
