#include <algorithm>

#include "admin/upstreams_json.h"
#include "runtime/supervisor.h"
#include "runtime/version.h"
#include "runtime/wall.h"

// What the admin API asks of the supervisor, on the thread of the worker that serves it, or of the renderer.

namespace weir::runtime {

namespace {

constexpr std::string_view kUnresolved = "unresolved";  // an endpoint whose name has no address

/// The endpoints of all upstreams as they are now, and what keeps their texts.
struct Samples {
  std::vector<observe::EndpointSample> endpoints;
  std::vector<std::shared_ptr<const upstream::EndpointSet>> sets;
};

Samples samples_of(const Snapshot& snapshot) {
  Samples samples;
  for (const auto& upstream : snapshot.upstreams()) {
    const auto& set = samples.sets.emplace_back(upstream->endpoints());
    for (const auto& endpoint : set->all()) {
      const auto& state = *endpoint.state;
      samples.endpoints.push_back({.upstream = upstream->name(),
                                   .endpoint = state.text,
                                   .up = state.is_up(),
                                   .health = upstream::name_of(state.health.load(std::memory_order_relaxed)),
                                   .active = state.active.load(std::memory_order_relaxed),
                                   .connections = state.connections.load(std::memory_order_relaxed),
                                   .requests = state.requests.load(std::memory_order_relaxed),
                                   .failures = state.failures.load(std::memory_order_relaxed)});
    }
    for (const auto& name : set->unresolved()) {
      samples.endpoints.push_back(
          {.upstream = upstream->name(), .endpoint = name.name, .up = false, .health = kUnresolved});
    }
  }
  return samples;
}

void add_health(admin::EndpointStatus& status, const upstream::HealthReport& report, Wall& wall) {
  status.health = upstream::name_of(report.health);
  status.by = report.judge;
  status.why = report.why;
  if (report.since != Time::min()) status.since = wall.text(report.since);
  if (const auto& check = report.last_check)
    status.check = admin::CheckStatus{check->has_passed, check->what, wall.text(check->at), milliseconds(check->took)};
}

void add_pause(admin::EndpointStatus& status, const upstream::ConnectBackoff& backoff, Time now, Wall& wall) {
  status.connect_failures = backoff.failures();
  if (backoff.is_paused(now)) status.paused_until = wall.text(backoff.until());
}

admin::EndpointStatus status_of(const upstream::Endpoint& endpoint) {
  const auto& state = *endpoint.state;
  return {.address = state.text,
          .weight = endpoint.weight,
          .is_backup = endpoint.is_backup,
          .active = state.active.load(std::memory_order_relaxed),
          .connections = state.connections.load(std::memory_order_relaxed),
          .requests = state.requests.load(std::memory_order_relaxed),
          .failures = state.failures.load(std::memory_order_relaxed),
          .latency_ms = milliseconds(state.usual_latency.value())};
}

std::vector<observe::CertificateSample> certificates_of(const Snapshot& snapshot) {
  std::vector<observe::CertificateSample> samples;
  for (size_t i = 0; i < snapshot.labels().listeners.size(); ++i) {
    if (!snapshot.tls(i)) continue;
    for (const auto& expiry : snapshot.tls(i)->expiries) {
      samples.push_back({snapshot.labels().listeners[i], expiry.certificate, expiry.at});
    }
  }
  return samples;
}

}  // namespace

std::shared_ptr<const Snapshot> Supervisor::current() const {
  const std::lock_guard lock(current_mutex_);
  return current_;
}

admin::Readiness Supervisor::readiness() const {
  switch (state_.load()) {
    case State::serving: break;
    case State::starting: return {admin::Readiness::State::not_ready, "starting"};
    default: return {admin::Readiness::State::not_ready, "draining"};
  }
  std::string why;
  const auto snapshot = current();
  const auto& redis = snapshot->redis();
  if (redis && redis->health.state() != store::StoreState::up)
    why = "store is " + std::string(name_of(redis->health.state()));
  if (const auto reload = last_reload(); reload && !reload->ok)
    why += std::string(why.empty() ? "" : "; ") + "the last reload failed, and the configuration before it is served";
  if (why.empty()) return {};
  return {admin::Readiness::State::degraded, std::move(why)};
}

admin::Page Supervisor::metrics(std::string_view accept) const {
  const auto snapshot = current();
  const auto& redis = snapshot->redis();
  lasting_.store_metrics.show(redis ? redis->health.state() : store::StoreState::up);
  lasting_.cache_store_metrics.show(redis ? redis->bulk->health.state() : store::StoreState::up);
  lasting_.store_instances.set(redis ? redis->instances.load() : 1);
  lasting_.embedded_store_metrics.show(lasting_.store.usage());
  const auto samples = samples_of(*snapshot);
  auto exposition =
      lasting_.metrics.expose(accept, samples.endpoints, certificates_of(*snapshot), &lasting_.filter_metrics);
  return {std::move(exposition.content_type), std::move(exposition.text)};
}

std::string Supervisor::upstreams_json() const {
  Wall wall(clock_);
  std::vector<admin::UpstreamStatus> statuses;
  const auto snapshot = current();
  for (const auto& upstream : snapshot->upstreams()) {
    const auto endpoints = upstream->endpoints();
    admin::UpstreamStatus status{upstream->name(), upstream->settings().balance.name, {}, endpoints->reach().is_panic};
    for (const auto& endpoint : endpoints->all()) {
      auto& row = status.endpoints.emplace_back(status_of(endpoint));
      add_health(row, upstream->state().health.report(*endpoint.state), wall);
      add_pause(row, endpoint.state->backoff, clock_.now(), wall);
    }
    for (const auto& name : endpoints->unresolved()) {
      status.endpoints.push_back({.address = name.name,
                                  .weight = name.weight,
                                  .is_backup = name.is_backup,
                                  .health = std::string(kUnresolved),
                                  .by = "dns",
                                  .why = name.why,
                                  .since = wall.text(name.since)});
    }
    statuses.push_back(std::move(status));
  }
  return admin::upstreams_json(statuses);
}

bool Supervisor::order(std::string_view upstream, std::string_view endpoint, admin::EndpointOrder order) {
  using upstream::Health;
  using upstream::Judge;
  const auto snapshot = current();
  for (const auto& pool : snapshot->upstreams()) {
    if (pool->name() != upstream) continue;
    const auto endpoints = pool->endpoints();
    for (const auto& found : endpoints->all()) {
      if (found.state->text != endpoint) continue;
      auto& ledger = pool->state().health;
      const Time now = clock_.now();
      const bool drains = order == admin::EndpointOrder::drain;
      ledger.judge(*found.state, Judge::admin, drains ? Health::draining : Health::up, "ordered by the admin API", now);
      if (!drains) ledger.judge(*found.state, Judge::outlier, Health::up, "ordered by the admin API", now);
      return true;
    }
  }
  return false;
}

std::string Supervisor::config_json() const { return current()->effective_json(); }

std::string Supervisor::version_json() const { return std::string("{\"version\":\"") + kVersion + "\"}\n"; }

Task<admin::ReloadOutcome> Supervisor::reload(Exchange& exchange) {
  // The answer comes by mail; whoever asked may have gone by then.
  struct Answer {
    explicit Answer(Loop& loop) : arrived(loop) {}
    admin::ReloadOutcome outcome;
    Event arrived;
  };
  auto answer = std::make_shared<Answer>(exchange.loop());
  Loop& asker = exchange.loop();
  loop_.post([this, answer, &asker] {
    struct Errand {
      static Task<> run(Supervisor& supervisor, std::shared_ptr<Answer> answer, Loop& asker) {
        auto outcome = co_await supervisor.reload_now();
        asker.post([answer, outcome = std::move(outcome)] {
          answer->outcome = outcome;
          answer->arrived.set();
        });
      }
    };
    tasks_.spawn(Errand::run(*this, answer, asker));
  });
  co_await answer->arrived.wait();
  co_return answer->outcome;
}

}  // namespace weir::runtime
