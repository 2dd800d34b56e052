#include <algorithm>

#include "admin/upstreams_json.h"
#include "runtime/supervisor.h"
#include "runtime/version.h"

// What the admin API asks of the supervisor, on the thread of the worker that serves it.

namespace weir::runtime {

namespace {

std::string_view name_of(upstream::Health health) {
  switch (health) {
    case upstream::Health::up: return "up";
    case upstream::Health::down: return "down";
    case upstream::Health::ejected: return "ejected";
    case upstream::Health::draining: return "draining";
  }
  return "up";
}

std::vector<observe::EndpointSample> samples_of(const Snapshot& snapshot) {
  std::vector<observe::EndpointSample> samples;
  for (const auto& upstream : snapshot.upstreams()) {
    const auto endpoints = upstream->endpoints();
    for (const auto& endpoint : endpoints->all()) {
      const auto& state = *endpoint.state;
      samples.push_back({.upstream = upstream->name(),
                         .endpoint = state.text,
                         .up = state.is_up(),
                         .active = state.active.load(std::memory_order_relaxed),
                         .connections = state.connections.load(std::memory_order_relaxed),
                         .requests = state.requests.load(std::memory_order_relaxed),
                         .failures = state.failures.load(std::memory_order_relaxed)});
    }
  }
  return samples;
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
  const auto snapshot = current();
  const auto& redis = snapshot->redis();
  if (!redis || redis->health.state() == store::StoreState::up) return {};
  return {admin::Readiness::State::degraded, "store is " + std::string(name_of(redis->health.state()))};
}

admin::Page Supervisor::metrics(std::string_view accept) const {
  const auto snapshot = current();
  const auto& redis = snapshot->redis();
  lasting_.store_metrics.show(redis ? redis->health.state() : store::StoreState::up,
                              redis ? redis->instances.load() : 1);
  auto exposition =
      lasting_.metrics.expose(accept, samples_of(*snapshot), certificates_of(*snapshot), &lasting_.filter_metrics);
  return {std::move(exposition.content_type), std::move(exposition.text)};
}

std::string Supervisor::upstreams_json() const {
  std::vector<admin::UpstreamStatus> statuses;
  const auto snapshot = current();
  for (const auto& upstream : snapshot->upstreams()) {
    admin::UpstreamStatus status{upstream->name(), upstream->settings().balance.name, {}};
    const auto endpoints = upstream->endpoints();
    for (const auto& endpoint : endpoints->all()) {
      const auto& state = *endpoint.state;
      status.endpoints.push_back(
          {.address = state.text,
           .weight = endpoint.weight,
           .is_backup = endpoint.is_backup,
           .health = std::string(name_of(state.health.load(std::memory_order_relaxed))),
           .active = state.active.load(std::memory_order_relaxed),
           .connections = state.connections.load(std::memory_order_relaxed),
           .requests = state.requests.load(std::memory_order_relaxed),
           .failures = state.failures.load(std::memory_order_relaxed),
           .latency_ms = state.usual_latency.value() / std::chrono::duration<double, std::milli>(1)});
    }
    statuses.push_back(std::move(status));
  }
  return admin::upstreams_json(statuses);
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
