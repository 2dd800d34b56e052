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
  std::vector<Judge> unasked;
  if (!settings.outlier_detection) unasked.push_back(Judge::outlier);
  if (settings.health_header.empty()) unasked.push_back(Judge::backend);
  if (!settings.health_check) unasked.push_back(Judge::check);
  if (unasked.empty()) return;
  const auto set = upstream_.endpoints();
  for (const Endpoint& endpoint : set->all()) {
    EndpointState& state = *endpoint.state;
    std::vector<Judge> against;  // nearly always none
    ledger.with(state, [&](EndpointHealth& known) {
      for (const Judge judge : unasked) {
        if (known.of(judge).health != Health::up) against.push_back(judge);
      }
      if (settings.health_check) return;
      known.tally = {};
      known.last_check.reset();
    });
    for (const Judge judge : against)
      ledger.judge(state, judge, Health::up, "it isn't asked any more", worker_.loop.now());
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
