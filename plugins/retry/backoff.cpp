#include "plugins/retry/backoff.h"

#include <algorithm>

namespace weir::plugins {

Duration Backoff::after(uint32_t number) {
  const int64_t times = (int64_t{1} << std::min(number, 30u)) - 1;
  const Duration span = settings_.max / times < settings_.base ? settings_.max : settings_.base * times;
  return Duration(std::uniform_int_distribution<Duration::rep>(0, span.count())(random_));
}

}  // namespace weir::plugins
