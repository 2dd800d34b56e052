#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "admin/status_json.h"
#include "runtime/supervisor.h"
#include "runtime/version.h"
#include "runtime/wall.h"

// GET /status, on the renderer's thread, and which file is served.

namespace weir::runtime {

namespace {

double turn_ms(Duration bound) { return bound == Duration::max() ? -1 : milliseconds(bound); }

std::string_view word_of(admin::Readiness::State state) {
  switch (state) {
    case admin::Readiness::State::ready: return "ready";
    case admin::Readiness::State::degraded: return "degraded";
    case admin::Readiness::State::not_ready: return "not_ready";
  }
  return "not_ready";
}

bool has_cache(const Configuration& configuration) {
  const auto is_among = [](const auto& filters) {
    return std::ranges::any_of(filters, [](const auto& filter) { return filter.name == "cache"; });
  };
  return is_among(configuration.filters) ||
         std::ranges::any_of(configuration.routes, [&](const auto& route) { return is_among(route.filters); });
}

admin::Status::Store store_of(const Snapshot& snapshot) {
  const auto& settings = snapshot.configuration().store;
  admin::Status::Store store{.kind = "embedded", .servers = {}, .state = "up", .pages = {}, .on_failure = {}};
  store.on_failure = settings.on_failure == store::OnFailure::allow  ? "allow"
                     : settings.on_failure == store::OnFailure::deny ? "deny"
                                                                     : "local";
  const auto& redis = snapshot.redis();
  if (!redis) return store;
  store.kind = "redis";
  for (const auto& address : settings.addresses) store.servers.push_back(address.text());
  if (settings.sentinel) {
    for (const auto& address : settings.sentinel->addresses) store.servers.push_back("sentinel " + address.text());
  }
  store.state = name_of(redis->health.state());
  if (redis->bulk && has_cache(snapshot.configuration())) store.pages = name_of(redis->bulk->health.state());
  store.instances = redis->instances.load();
  return store;
}

void add_listeners(admin::Status& status, const Snapshot& snapshot, const observe::WorkersOverview& workers) {
  const auto& listeners = snapshot.configuration().listeners;
  for (size_t i = 0; i < listeners.size(); ++i) {
    const auto& name = snapshot.labels().listeners[i];
    auto& row = status.listeners.emplace_back(
        admin::Status::Listener{.name = name, .bind = *listeners[i].bind, .kind = snapshot.tls(i) ? "https" : "http"});
    for (const auto& counted : workers.listeners) {
      if (counted.name != name) continue;
      row.open = counted.open;
      row.accepted = counted.accepted;
    }
  }
}

void add_certificates(admin::Status& status, const Snapshot& snapshot, const Clock& clock) {
  WallClockText text;
  const auto now = std::chrono::floor<std::chrono::seconds>(clock.wall());
  for (size_t i = 0; i < snapshot.labels().listeners.size(); ++i) {
    if (!snapshot.tls(i)) continue;
    for (const auto& expiry : snapshot.tls(i)->expiries) {
      const auto left = std::chrono::floor<std::chrono::days>(expiry.at - now);
      const auto shown = std::min(expiry.at, now + std::chrono::years(200));  // what nanoseconds in 64 bits can say
      status.certificates.push_back({snapshot.labels().listeners[i], expiry.certificate,
                                     std::string(text.rfc3339(WallClockText::Instant(shown))), left.count()});
    }
  }
}

/// The entry of that kind, name and route, made when it is new.
admin::Status::Counted& entry(std::vector<admin::Status::Counted>& list, std::string_view kind, const std::string& name,
                              const std::string& route) {
  for (auto& one : list) {
    if (one.kind == kind && one.name == name && one.route == route) return one;
  }
  return list.emplace_back(admin::Status::Counted{std::string(kind), name, route, {}});
}

const std::string& label(const FilterMetrics::Labels& labels, std::string_view name) {
  static const std::string kNone;
  for (const auto& [key, value] : labels) {
    if (key == name) return value;
  }
  return kNone;
}

/// What the filters that are limits or caches count, as /metrics has it.
void add_counted(admin::Status& status, const FilterMetrics& metrics) {
  constexpr std::string_view kLimits[] = {"concurrency_limit", "rate_limit"};
  metrics.for_each([&](const std::string& family, FilterMetrics::Kind, const std::string&,
                       const FilterMetrics::Labels& labels, int64_t value, size_t) {
    if (const auto& cache = label(labels, "cache"); !cache.empty()) {
      const auto& what = label(labels, "status");
      entry(status.caches, "cache", cache, label(labels, "route"))
          .counts.emplace_back(what.empty() ? family.substr(family.find('_') + 1) : what, value);
      return;
    }
    const auto& limiter = label(labels, "limiter");
    if (limiter.empty()) return;
    for (const auto kind : kLimits) {
      if (!family.starts_with(kind)) continue;
      const auto& what = labels.size() > 2 ? labels.back().second : family.substr(kind.size() + 1);
      entry(status.limiters, kind, limiter, label(labels, "route")).counts.emplace_back(what, value);
    }
  });
}

void add_queues(admin::Status& status, const Snapshot& snapshot) {
  for (const auto& upstream : snapshot.upstreams()) {
    const auto& queue = upstream->settings().queue;
    const auto waiting = upstream->state().queue.size();
    const auto set = upstream->endpoints();
    const bool can_be_full =
        std::ranges::any_of(set->all(), [](const upstream::Endpoint& endpoint) { return endpoint.limit() > 0; });
    if (!can_be_full && waiting == 0) continue;
    status.queues.push_back({upstream->name(), waiting, queue.size, milliseconds(queue.timeout)});
  }
}

admin::Status::Failure to_status(const observe::RecentFailure& failure, const Clock& clock, Wall& wall) {
  return {.error = std::string(name_of(failure.code)),
          .upstream = failure.upstream,
          .by = failure.by,
          .detail = failure.detail,
          .endpoint = failure.endpoint,
          .route = failure.route,
          .request_id = failure.request_id,
          .method = failure.method,
          .host = failure.host,
          .path = failure.path,
          .count = failure.count,
          .replaced = failure.replaced,
          .at = wall.text(failure.at),
          .seconds_ago = std::chrono::duration<double>(clock.wall() - failure.at).count()};
}

/// Without symbolic links; as it is when there is no such file.
std::string real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> found(::realpath(path.c_str(), nullptr), &std::free);
  return found ? found.get() : path;
}

}  // namespace

std::string Supervisor::status_json() const {
  Wall wall(clock_);
  const auto snapshot = current();
  const auto ready = readiness();
  const auto workers = lasting_.metrics.overview();
  admin::Status status{.version = kVersion, .commit = {}, .pid = ::getpid(), .file = real_path(options_.file)};
  status.started = wall.text(begun_);
  status.uptime_seconds = std::chrono::duration<double>(clock_.now() - begun_).count();
  status.readiness = word_of(ready.state);
  status.why = ready.why;
  if (const auto reload = last_reload())
    status.last_reload = admin::Status::Reload{reload->ok, wall.text(reload->at), reload->ok ? "" : reload->text};
  status.workers = snapshot->configuration().worker_count();
  status.requests_in_flight = workers.requests_in_flight;
  status.loops = {turn_ms(workers.most_turns), turn_ms(workers.longest_turn), workers.stuck_turns};
  status.store = store_of(*snapshot);
  add_listeners(status, *snapshot, workers);
  add_certificates(status, *snapshot, clock_);
  add_counted(status, lasting_.filter_metrics);
  add_queues(status, *snapshot);
  for (const auto& failure : workers.failures) status.failures.push_back(to_status(failure, clock_, wall));
  return admin::status_json(status);
}

std::string Supervisor::other_than(const admin::ServedFile& file) const {
  auto served = real_path(options_.file);
  if (served == file.path) return "";
  struct stat found{};
  if (!file.identity.empty() && ::stat(served.c_str(), &found) == 0 &&
      file.identity == std::to_string(found.st_dev) + ":" + std::to_string(found.st_ino))
    return "";
  return served;
}

std::optional<Supervisor::LastReload> Supervisor::last_reload() const {
  const std::lock_guard lock(current_mutex_);
  return last_reload_;
}

void Supervisor::remember(const admin::ReloadOutcome& outcome) {
  const std::lock_guard lock(current_mutex_);
  last_reload_ = LastReload{outcome.ok, clock_.now(), outcome.text};
}

}  // namespace weir::runtime
