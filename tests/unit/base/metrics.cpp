#include "base/metrics.h"

#include <doctest/doctest.h>

using namespace weir;
using namespace std::chrono_literals;

TEST_CASE("histogram: a duration falls into the first bucket that holds it") {
  CHECK(Histogram::bucket_of(0s) == 0);
  CHECK(Histogram::bucket_of(500us) == 0);
  CHECK(Histogram::bucket_of(501us) == 1);
  CHECK(Histogram::bucket_of(30s) == Histogram::kBuckets - 2);
  CHECK(Histogram::bucket_of(31s) == Histogram::kBuckets - 1);
}

TEST_CASE("histogram: it adds up what it saw") {
  Histogram histogram;
  histogram.observe(2ms);
  histogram.observe(2ms);
  CHECK(histogram.bucket(2) == 2);
  CHECK(histogram.sum() == 4ms);
}

TEST_CASE("gauge: it goes up and down") {
  Gauge gauge;
  gauge.add(3);
  gauge.subtract();
  CHECK(gauge.value() == 2);
}
