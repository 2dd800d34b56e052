#include <doctest/doctest.h>

#include "downstream/request_body.h"

namespace weir::downstream {

using namespace std::chrono_literals;

TEST_CASE("body pace: the first 5 s of waiting are free") {
  BodyPace pace;
  pace.wait(5s);
  CHECK_FALSE(pace.is_too_slow(1000, 60s));
  pace.wait(1s);
  CHECK(pace.is_too_slow(1000, 60s));
}

TEST_CASE("body pace: what came counts against the rate, over all the time that was waited") {
  BodyPace pace;
  pace.count(3000);
  pace.wait(8s);
  CHECK_FALSE(pace.is_too_slow(1000, 60s));
  pace.wait(1s);
  CHECK(pace.is_too_slow(1000, 60s));
  pace.count(1000);
  CHECK_FALSE(pace.is_too_slow(1000, 60s));
  CHECK(pace.bytes() == 4000);
}

TEST_CASE("body pace: a pause is too long whatever came before, and starts anew with each byte") {
  BodyPace pace;
  pace.count(1 << 30);
  pace.wait(9s);
  CHECK_FALSE(pace.is_too_slow(1, 10s));
  pace.count(1);
  pace.wait(9s);
  CHECK_FALSE(pace.is_too_slow(1, 10s));
  pace.wait(1s);
  CHECK(pace.is_too_slow(1, 10s));
}

TEST_CASE("body pace: without a rate only a pause matters") {
  BodyPace pace;
  pace.wait(59s);
  CHECK_FALSE(pace.is_too_slow(0, 60s));
}

}  // namespace weir::downstream
