#include "observe/cells.h"

#include <algorithm>
#include <bit>

namespace weir::observe {

namespace {

size_t class_of(uint16_t status) {
  const size_t first = status / 100;
  return first < std::tuple_size_v<StatusClasses> ? first : 0;
}

void count_outcome(UpstreamCells& cells, const Attempt& attempt) {
  switch (attempt.outcome) {
    case Outcome::answered: cells.duration.observe(attempt.answered - attempt.started); break;
    case Outcome::refused: cells.refused.add(); break;
    case Outcome::timed_out: cells.timed_out.add(); break;
    case Outcome::broken: cells.broken.add(); break;
    case Outcome::unable: cells.unable.add(); break;
    case Outcome::abandoned:
    case Outcome::pending: cells.abandoned.add(); break;
  }
}

bool is_same_text(std::string_view one, std::string_view other) {
  return one.data() == other.data() && one.size() == other.size();
}

}  // namespace

void WorkerMetrics::reserve(const CellPlan& plan) {
  listeners.reserve(plan.listener_slots);
  routes.reserve(plan.route_slots);
  upstreams.reserve(plan.upstream_slots);
}

SnapshotCells WorkerMetrics::resolve(std::shared_ptr<const CellPlan> plan) {
  SnapshotCells snapshot;
  snapshot.worker_ = this;
  snapshot.plan_ = std::move(plan);
  return snapshot;
}

ListenerCells& SnapshotCells::listener(size_t index) { return worker_->listeners[plan_->listeners[index].slot]; }

void SnapshotCells::observe(const Exchange& exchange) {
  const AccessRecord& record = exchange.record;
  if (const auto* listener = find_listener(exchange.client.listener)) {
    const size_t last = listener->routes.size() - 1;
    const size_t route = exchange.route ? std::min<size_t>(exchange.route->index, last) : last;
    RouteCells& cells = worker_->routes[listener->routes[route]];
    cells.requests[class_of(record.status)].add();
    // A tunnel's duration says nothing about the route's latency.
    if (record.status != 101) cells.duration.observe(record.finished - record.started);
  }
  worker_->request_bytes.add(record.request_body_bytes);
  worker_->response_bytes.add(record.response_body_bytes);
  if (exchange.failure) worker_->failed(exchange.failure->code);
  for (uint32_t flags = record.flags; flags; flags &= flags - 1) worker_->flags[std::countr_zero(flags)].add();
  observe_attempts(exchange.attempts);
}

void SnapshotCells::observe_attempts(const Attempts& attempts) {
  for (size_t i = 0; i < attempts.size(); ++i) {
    const Attempt& attempt = attempts[i];
    UpstreamCells* cells = find_upstream(attempt.upstream);
    if (!cells) continue;
    cells->requests[class_of(attempt.status)].add();
    if (attempt.reused) cells->reused.add();
    if (i > 0) cells->retries.add();
    count_outcome(*cells, attempt);
  }
}

/// Most requests come where the one before came, and its name does not move.
const CellPlan::Listener* SnapshotCells::find_listener(std::string_view name) {
  if (is_same_text(name, listener_name_)) [[likely]]
    return listener_;
  const auto found = std::ranges::find(plan_->listeners, name, &CellPlan::Listener::name);
  listener_name_ = name;
  listener_ = found == plan_->listeners.end() ? nullptr : &*found;
  return listener_;
}

/// And they go where the one before went.
UpstreamCells* SnapshotCells::find_upstream(std::string_view name) {
  if (is_same_text(name, upstream_name_)) [[likely]]
    return upstream_;
  const auto& upstreams = plan_->upstreams;
  const auto found = std::ranges::lower_bound(upstreams, name, {}, &CellPlan::Upstream::name);
  upstream_name_ = name;
  upstream_ = found != upstreams.end() && found->name == name ? &worker_->upstreams[found->slot] : nullptr;
  return upstream_;
}

}  // namespace weir::observe
