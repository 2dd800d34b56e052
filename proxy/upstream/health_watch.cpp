#include "upstream/health_watch.h"

#include <algorithm>

#include "async/sleep.h"

namespace weir::upstream {

namespace {

constexpr Duration kLongestPause =
    std::chrono::seconds(1);  // how late an ejection may end, and a name's change be seen

}  // namespace

HealthWatch::HealthWatch(WorkerContext& worker, const Upstream& upstream) : worker_(worker), upstream_(upstream) {
  forget_judges();
  if (upstream.settings().health_check) checker_.emplace(worker, upstream);
  if (!checker_ && !upstream.outlier()) return;
  task_ = watch();
  task_.start();
}

void HealthWatch::forget_judges() {
  auto& ledger = upstream_.state().health;
  const auto& settings = upstream_.settings();
  const auto set = upstream_.endpoints();
  const auto forget = [&](EndpointState& endpoint, Judge judge) {
    ledger.judge(endpoint, judge, Health::up, "it isn't asked any more", worker_.loop.now());
  };
  for (const Endpoint& endpoint : set->all()) {
    EndpointState& state = *endpoint.state;
    if (!settings.outlier_detection) forget(state, Judge::outlier);
    if (settings.health_header.empty()) forget(state, Judge::backend);
    if (settings.health_check) continue;
    forget(state, Judge::check);
    ledger.with(state, [](EndpointHealth& known) {
      known.tally = {};
      known.last_check.reset();
    });
  }
}

Task<> HealthWatch::watch() {
  Outlier* outlier = upstream_.outlier();
  const Duration interval = outlier ? outlier->settings().interval : kLongestPause;
  Time interval_ends = worker_.loop.now() + interval;
  for (;;) {
    co_await sleep_for(worker_.loop, std::min(interval, kLongestPause));
    if (checker_) checker_->follow_endpoints();
    const Time now = worker_.loop.now();
    if (outlier) outlier->release_due(now);
    if (outlier && now >= interval_ends) {
      outlier->end_interval(now);
      interval_ends = now + interval;
    }
    (void)upstream_.endpoints()->reach();  // a panic is told even when nobody asks
  }
}

}  // namespace weir::upstream
