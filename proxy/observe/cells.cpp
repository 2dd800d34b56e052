#include "observe/cells.h"

#include <algorithm>
#include <bit>

namespace weir::observe {

namespace {

/// The label of requests that no route took.
const std::string kNone = "none";

size_t class_of(uint16_t status) {
  const size_t first = status / 100;
  return first < std::tuple_size_v<StatusClasses> ? first : 0;
}

template <class Cells>
Cells* find_or_make(std::map<std::string, std::unique_ptr<Cells>>& cells, const std::string& name) {
  auto& cell = cells[name];
  if (!cell) cell = std::make_unique<Cells>();
  return cell.get();
}

void count_outcome(UpstreamCells& cells, const Attempt& attempt) {
  switch (attempt.outcome) {
    case Outcome::answered: cells.duration.observe(attempt.answered - attempt.started); break;
    case Outcome::refused: cells.refused.add(); break;
    case Outcome::timed_out: cells.timed_out.add(); break;
    case Outcome::broken: cells.broken.add(); break;
    case Outcome::abandoned:
    case Outcome::pending: cells.abandoned.add(); break;
  }
}

}  // namespace

SnapshotCells WorkerMetrics::resolve(const Labels& labels) {
  const std::lock_guard lock(mutex_);
  SnapshotCells snapshot;
  snapshot.worker_ = this;
  for (const auto& name : labels.listeners) {
    auto& listener = snapshot.listeners_.emplace_back();
    listener.name = name;
    listener.cells = find_or_make(listeners_, name);
    for (const auto& route_name : labels.routes) listener.routes.push_back(route(name, route_name));
    listener.routes.push_back(route(name, kNone));
  }
  for (const auto& name : labels.upstreams) {
    snapshot.upstreams_.push_back({name, find_or_make(upstreams_, name)});
  }
  std::ranges::sort(snapshot.upstreams_, {}, &SnapshotCells::Upstream::name);
  return snapshot;
}

RouteCells* WorkerMetrics::route(const std::string& listener, const std::string& name) {
  auto& cells = routes_[{listener, name}];
  if (!cells) cells = std::make_unique<RouteCells>();
  return cells.get();
}

void SnapshotCells::observe(const Exchange& exchange) {
  const AccessRecord& record = exchange.record;
  if (Listener* listener = find_listener(exchange.client.listener)) {
    const size_t last = listener->routes.size() - 1;
    RouteCells& cells = *listener->routes[exchange.route ? std::min<size_t>(exchange.route->index, last) : last];
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

SnapshotCells::Listener* SnapshotCells::find_listener(std::string_view name) {
  for (auto& listener : listeners_) {
    if (listener.name == name) return &listener;
  }
  return nullptr;
}

UpstreamCells* SnapshotCells::find_upstream(std::string_view name) {
  const auto found = std::ranges::lower_bound(upstreams_, name, {}, &Upstream::name);
  return found != upstreams_.end() && found->name == name ? found->cells : nullptr;
}

}  // namespace weir::observe
