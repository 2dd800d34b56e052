#include "upstream/health_checker.h"

#include <fmt/core.h>

#include <algorithm>
#include <random>
#include <unordered_set>

#include "async/sleep.h"
#include "base/log.h"
#include "base/paced.h"
#include "upstream/health_header.h"

namespace weir::upstream {

namespace {

Duration part_of(Duration whole, double fraction) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, Duration::period>(whole) * fraction);
}

SharedCount& count_of(const Upstream& upstream, const char* result) {
  return upstream.state().health.metrics().counter("health_checks", "Checks of endpoints, by result",
                                                   {{"upstream", upstream.name()}, {"result", result}});
}

std::string why_of(const CheckResult& result, uint32_t in_row) {
  if (in_row == 1) return fmt::format("a check {}: {}", result.has_passed ? "passed" : "failed", result.what);
  return fmt::format("{} checks in a row {}: {}", in_row, result.has_passed ? "passed" : "failed", result.what);
}

}  // namespace

HealthChecker::HealthChecker(WorkerContext& worker, const Upstream& upstream)
    : worker_(worker),
      upstream_(upstream),
      settings_(*upstream.settings().health_check),
      passed_(count_of(upstream, "passed")),
      failed_(count_of(upstream, "failed")),
      not_made_(count_of(upstream, "not_made")),
      random_(std::random_device{}()) {
  follow_endpoints();
}

void HealthChecker::follow_endpoints() {
  auto set = upstream_.endpoints();
  if (set == set_) return;
  set_ = std::move(set);
  std::unordered_set<const EndpointState*> present;
  for (const Endpoint& endpoint : set_->all()) present.insert(endpoint.state.get());
  std::erase_if(watched_, [&](const auto& entry) { return !present.contains(entry.first); });
  for (const Endpoint& endpoint : set_->all()) {
    auto& watched = watched_[endpoint.state.get()];
    if (watched) continue;
    watched = std::make_unique<Watched>(worker_, upstream_, endpoint);
    watched->task = follow(*watched);
    watched->task.start();
  }
}

Task<> HealthChecker::follow(Watched& watched) {
  co_await sleep_for(worker_.loop, first_pause(*watched.state));
  for (;;) {
    auto result = co_await watched.probe.ask();
    const bool is_changing = learn(*watched.state, std::move(result));
    co_await sleep_for(worker_.loop, next_pause(is_changing));
  }
}

/// Somewhere in an interval: endpoints that come together aren't checked together.
Duration HealthChecker::first_pause(EndpointState& endpoint) {
  bool is_changing = true;
  upstream_.state().health.with(endpoint,
                                [&](const EndpointHealth& known) { is_changing = known.tally.is_changing(); });
  return part_of(settings_.pause(is_changing), random_.fraction());
}

Duration HealthChecker::next_pause(bool is_changing) {
  const double jitter = settings_.jitter.value * (2 * random_.fraction() - 1);
  return part_of(settings_.pause(is_changing), 1 + jitter);
}

/// What is known of the endpoint stays as it is.
bool HealthChecker::not_made(EndpointState& endpoint, const CheckResult& result) {
  static Paced lines;  // of all upstreams
  not_made_.add();
  if (const auto turn = lines.turn(result.at)) {
    log::error(
        "health_check_not_made",
        {{"upstream", upstream_.name()}, {"endpoint", endpoint.text}, {"why", result.what}, {"untold", turn->untold}});
  }
  bool is_changing = false;
  upstream_.state().health.with(endpoint,
                                [&](const EndpointHealth& known) { is_changing = known.tally.is_changing(); });
  return is_changing;
}

bool HealthChecker::learn(EndpointState& endpoint, CheckResult result) {
  if (!result.was_made) return not_made(endpoint, result);
  (result.has_passed ? passed_ : failed_).add();
  const Time now = worker_.loop.now();
  bool has_changed = false;
  bool is_changing = false;
  uint32_t in_row = 1;
  auto& ledger = upstream_.state().health;
  ledger.with(endpoint, [&](EndpointHealth& known) {
    in_row = known.tally.against + 1;
    has_changed = known.tally.learn(result.has_passed, settings_.rise, settings_.fall, settings_.first_fall());
    is_changing = known.tally.is_changing();
    known.last_check = result;
  });
  const bool has_answered = settings_.type != HealthCheckSettings::Type::tcp;
  if (result.has_passed) has_answered ? upstream_.responded(endpoint) : upstream_.connected(endpoint);
  if (has_changed && result.has_passed) upstream_.recovered(endpoint, now);
  if (has_changed)
    ledger.judge(endpoint, Judge::check, result.has_passed ? Health::up : Health::down, why_of(result, in_row), now);
  if (result.has_passed && upstream_.outlier()) upstream_.outlier()->check_passed(endpoint, now);
  // One that answers well and says nothing of itself is well.
  const auto said = result.has_passed ? result.said.value_or(Health::up) : result.said;
  if (said) heed_said_health(upstream_, endpoint, *said, now);
  return is_changing;
}

}  // namespace weir::upstream
