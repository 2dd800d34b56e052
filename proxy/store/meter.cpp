#include "store/meter.h"

#include <algorithm>
#include <cmath>

namespace weir::store {

namespace {

/// The generic cell rate algorithm (ITU-T I.371): one number, the time at which the next request would come if
/// all came evenly spaced. A request may come up to `tolerance` before that. An arrival that is later than any take of
/// these terms makes it is cut, also when nothing is taken: a limit that became wider is so at once.
Reckoning reckon_gcra(const Meter& before, const Limit& limit, uint64_t cost, Duration now) {
  const Duration interval = std::max(limit.per / static_cast<int64_t>(limit.count), Duration(1));
  const Duration tolerance = interval * static_cast<int64_t>(limit.burst);
  const Duration latest = now + interval * static_cast<int64_t>(std::max(limit.burst, limit.largest_burst));
  const Duration arrival = std::clamp(before.arrival, now, latest);
  const Duration next = arrival + interval * static_cast<int64_t>(std::min(cost, limit.burst + 1));
  const Duration early = next - tolerance - now;  // how much too early

  Reckoning reckoning{.after = before};
  Quota& quota = reckoning.quota;
  quota.most = limit.burst;
  quota.allowed = early <= Duration::zero();
  quota.is_beyond = cost > limit.burst;
  quota.retry_after = std::max(early, Duration::zero());
  const Duration reached = quota.allowed ? next : arrival;
  quota.remaining = static_cast<uint64_t>(std::max(tolerance - (reached - now), Duration::zero()) / interval);
  quota.reset_after = reached - now;
  if (quota.allowed) {
    reckoning.after.arrival = next;
    reckoning.keep = next - now;
  } else if (before.arrival > latest) {
    reckoning.after.arrival = arrival;
    reckoning.keep = arrival - now;
    reckoning.is_cut = true;
  }
  return reckoning;
}

/// Exact: what was taken less than a period ago counts.
Reckoning reckon_log(const Meter& before, const Limit& limit, uint64_t cost, Duration now) {
  Reckoning reckoning{.after = before};
  auto& taken = reckoning.after.taken;
  taken.erase(taken.begin(), std::ranges::upper_bound(taken, now - limit.per));
  const uint64_t left = limit.count - std::min<uint64_t>(limit.count, taken.size());

  Quota& quota = reckoning.quota;
  quota.most = limit.count;
  quota.is_beyond = cost > limit.count;
  quota.allowed = cost <= left;
  if (quota.is_beyond) {
    quota.retry_after = limit.per;
  } else if (!quota.allowed) {
    // Of a limit that became narrower there may be more than it gives.
    quota.retry_after = taken[taken.size() + cost - limit.count - 1] + limit.per - now;
  }
  if (quota.allowed) taken.insert(taken.end(), cost, now);
  quota.remaining = quota.allowed ? left - cost : left;
  quota.reset_after = taken.empty() ? Duration::zero() : taken.back() + limit.per - now;
  reckoning.keep = limit.per;
  return reckoning;
}

/// `before`, seen from the window that `window` is.
Meter shifted(const Meter& before, int64_t window) {
  if (before.window == window) return before;
  Meter meter{.window = window};
  if (before.window == window - 1) meter.previous = before.current;
  return meter;
}

/// The time within a window of `per` after which no more than `room` of `count` is still in sight.
Duration until_in_sight(uint64_t count, double room, Duration per) {
  if (count == 0) return Duration::zero();
  const double share = 1 - std::max(room, 0.0) / static_cast<double>(count);
  return Duration(static_cast<int64_t>(std::ceil(std::max(share, 0.0) * static_cast<double>(per.count()))));
}

Duration until_sliding_room(const Meter& meter, const Limit& limit, uint64_t cost, Duration elapsed) {
  if (meter.current + cost <= limit.count) {
    const auto room = static_cast<double>(limit.count - cost - meter.current);
    return until_in_sight(meter.previous, room, limit.per) - elapsed;
  }
  const auto room = static_cast<double>(limit.count) - static_cast<double>(cost);
  return limit.per - elapsed + until_in_sight(meter.current, room, limit.per);
}

Reckoning reckon_window(const Meter& before, const Limit& limit, uint64_t cost, Duration wall) {
  const int64_t window = wall / limit.per;
  const Duration elapsed = wall - window * limit.per;
  const bool slides = limit.algorithm == Limit::Algorithm::sliding_window;

  Reckoning reckoning{.after = shifted(before, window)};
  Meter& meter = reckoning.after;
  const double in_sight =
      slides ? 1 - static_cast<double>(elapsed.count()) / static_cast<double>(limit.per.count()) : 0;
  const double used = static_cast<double>(meter.previous) * in_sight + static_cast<double>(meter.current);
  const double left = static_cast<double>(limit.count) - used;

  Quota& quota = reckoning.quota;
  quota.most = limit.count;
  quota.allowed = static_cast<double>(cost) <= left;
  quota.is_beyond = cost > limit.count;
  quota.remaining = static_cast<uint64_t>(std::max(left - (quota.allowed ? static_cast<double>(cost) : 0), 0.0));
  if (!quota.allowed) {
    quota.retry_after = slides ? until_sliding_room(meter, limit, cost, elapsed) : limit.per - elapsed;
  }
  if (quota.allowed) meter.current += cost;
  quota.reset_after = limit.per - elapsed + (slides && meter.current ? limit.per : Duration::zero());
  reckoning.keep = limit.per - elapsed + (slides ? limit.per : Duration::zero());
  return reckoning;
}

}  // namespace

Reckoning reckon(const Meter& before, const Limit& limit, uint64_t cost, Moment now) {
  if (limit.algorithm == Limit::Algorithm::gcra) return reckon_gcra(before, limit, cost, now.steady);
  if (limit.algorithm == Limit::Algorithm::sliding_log) return reckon_log(before, limit, cost, now.steady);
  return reckon_window(before, limit, cost, now.wall);
}

}  // namespace weir::store
