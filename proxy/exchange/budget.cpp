#include "exchange/budget.h"

#include <algorithm>
#include <cmath>

namespace weir {

Budget::Period& Budget::period(int64_t number) {
  Period& period = periods_[static_cast<size_t>(number % kPeriods)];
  int64_t old = period.number.load(std::memory_order_relaxed);
  if (old != number && period.number.compare_exchange_strong(old, number, std::memory_order_relaxed)) {
    period.requests.store(0, std::memory_order_relaxed);  // what another thread counts just now may be lost
    period.extras.store(0, std::memory_order_relaxed);
  }
  return period;
}

Budget::Place Budget::enter(Time now) {
  period(number_of(now)).requests.fetch_add(1, std::memory_order_relaxed);
  requests_.fetch_add(1, std::memory_order_relaxed);
  return Place(requests_);
}

FairShare::Place Budget::spend(Time now, std::string_view client) {
  constexpr int64_t kBeside = 8;
  const double share = settings_.ratio.value * static_cast<double>(requests_.load(std::memory_order_relaxed));
  const auto most = static_cast<int64_t>(std::ceil(std::max<double>(settings_.concurrent, share)));
  auto place = extras_.enter_or_beside(client, most, kBeside);
  if (!place) return place;
  Period& current = period(number_of(now));
  current.extras.fetch_add(1, std::memory_order_relaxed);
  if (allows_in_window(now, client)) {
    by_client_.add(client, now);
    return place;
  }
  current.extras.fetch_sub(1, std::memory_order_relaxed);
  return {};
}

/// With the one that asks counted already, but not as its client's.
bool Budget::allows_in_window(Time now, std::string_view client) const {
  const int64_t number = number_of(now);
  int64_t requests = 0;
  int64_t extras = 0;
  for (const Period& period : periods_) {
    if (period.number.load(std::memory_order_relaxed) <= number - kPeriods) continue;
    requests += period.requests.load(std::memory_order_relaxed);
    extras += period.extras.load(std::memory_order_relaxed);
  }
  const double share = settings_.ratio.value * static_cast<double>(requests) + settings_.min;
  const auto most = static_cast<int64_t>(share);
  const int64_t left_for_others = 2 * most - (extras - 1);
  return extras <= most || static_cast<int64_t>(by_client_.count(client, now)) < left_for_others;
}

}  // namespace weir
