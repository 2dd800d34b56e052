#include "upstream/health_ledger.h"

#include "base/log.h"
#include "upstream/endpoint.h"

namespace weir::upstream {

HealthLedger::HealthLedger(std::string upstream, FilterMetrics& metrics, PlaceQueue& queue)
    : upstream_(std::move(upstream)),
      metrics_(metrics),
      held_(metrics.hold({{"", {{"upstream", upstream_}}}})),
      queue_(queue) {}

SharedCount& HealthLedger::make_panic_requests() {
  auto& count = metrics_.counter("upstream_panic_requests", "Attempts that went anywhere for want of health",
                                 {{"upstream", upstream_}});
  panic_requests_.store(&count, std::memory_order_release);
  return count;
}

void HealthLedger::begin(EndpointState& endpoint, Health health, std::string why) {
  const std::lock_guard lock(mutex_);
  endpoint.opinions.of(Judge::check) = {health, std::move(why)};
  endpoint.health = health;
}

void HealthLedger::judge(EndpointState& endpoint, Judge judge, Health health, std::string why, Time now) {
  Health from{}, to{};
  Judge worst{};
  std::string told = why;
  {
    const std::lock_guard lock(mutex_);
    auto& known = endpoint.opinions;
    known.of(judge) = {health, std::move(why)};
    if (judge == Judge::backend) endpoint.said.store(health, std::memory_order_relaxed);
    worst = known.worst();
    from = endpoint.health.load(std::memory_order_relaxed);
    to = known.of(worst).health;
    if (from == to) return;
    known.since = now;
    endpoint.set_health(to, now);
    if (to != Health::up) told = known.of(worst).why;
    version_.fetch_add(1, std::memory_order_release);
  }
  tell(endpoint, from, to, std::string(name_of(to == Health::up ? judge : worst)), told);
  queue_.call_all();
}

HealthReport HealthLedger::report(const EndpointState& endpoint) const {
  const std::lock_guard lock(mutex_);
  const auto& known = endpoint.opinions;
  HealthReport report{endpoint.health.load(std::memory_order_relaxed), "", "", known.since, known.last_check};
  if (report.health == Health::up) return report;
  const Judge worst = known.worst();
  report.judge = name_of(worst);
  report.why = known.of(worst).why;
  return report;
}

void HealthLedger::with(EndpointState& endpoint, const std::function<void(EndpointHealth&)>& act) {
  const std::lock_guard lock(mutex_);
  act(endpoint.opinions);
}

void HealthLedger::tell(const EndpointState& endpoint, Health from, Health to, const std::string& judge,
                        const std::string& why) {
  metrics_
      .counter("endpoint_health_changes", "Changes of endpoints' health, by what it became",
               {{"upstream", upstream_}, {"to", std::string(name_of(to))}})
      .add();
  log::write(to == Health::up ? log::Level::info : log::Level::warn, "endpoint_health_changed",
             {{"upstream", upstream_},
              {"endpoint", endpoint.text},
              {"from", name_of(from)},
              {"to", name_of(to)},
              {"by", judge},
              {"why", why}});
}

void HealthLedger::cannot_connect(const EndpointState& endpoint, std::string_view why) {
  metrics_
      .counter("endpoint_pauses",
               "Endpoints left alone for a while since no connection could be made, or none brought an answer",
               {{"upstream", upstream_}})
      .add();
  log::warn("endpoint_unreachable", {{"upstream", upstream_},
                                     {"endpoint", endpoint.text},
                                     {"failures", ConnectBackoff::kFailures},
                                     {"pause", format(ConnectBackoff::kFirstPause)},
                                     {"why", why}});
}

void HealthLedger::can_connect(const EndpointState& endpoint) {
  log::info("endpoint_reachable", {{"upstream", upstream_}, {"endpoint", endpoint.text}});
  queue_.call_all();
}

void HealthLedger::count_failover() {
  metrics_
      .counter("upstream_failovers",
               "Requests that went on to another endpoint, since one took no connection or closed it unanswered",
               {{"upstream", upstream_}})
      .add();
}

void HealthLedger::panic(bool is_panic, uint32_t healthy, uint32_t usable) {
  if (is_panic_.exchange(is_panic) == is_panic) return;
  metrics_
      .gauge("upstream_panic", "1 while too few endpoints are healthy, so that all are used", {{"upstream", upstream_}})
      .set(is_panic);
  log::write(is_panic ? log::Level::error : log::Level::info, is_panic ? "panic_began" : "panic_ended",
             {{"upstream", upstream_}, {"healthy", healthy}, {"endpoints", usable}});
}

}  // namespace weir::upstream
