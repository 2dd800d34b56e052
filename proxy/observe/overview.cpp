#include <algorithm>

#include "observe/metrics.h"

namespace weir::observe {

namespace {

Duration bound_of(size_t bucket) {
  return bucket < Histogram::kBounds.size() ? Histogram::kBounds[bucket] : Duration::max();
}

void add_turns(const std::array<uint64_t, Histogram::kBuckets>& buckets, WorkersOverview& overview) {
  uint64_t all = 0;
  for (const uint64_t count : buckets) all += count;
  uint64_t passed = 0;
  for (size_t i = 0; i < buckets.size(); ++i) {
    const bool is_first = passed < all - all / 100 && passed + buckets[i] >= all - all / 100;
    if (is_first) overview.most_turns = bound_of(i);
    passed += buckets[i];
    if (buckets[i] > 0) overview.longest_turn = bound_of(i);
  }
}

}  // namespace

WorkersOverview Metrics::overview() const {
  std::vector<const WorkerMetrics*> workers;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& worker : workers_) workers.push_back(worker.get());
  }
  WorkersOverview overview;
  std::array<uint64_t, Histogram::kBuckets> turns{};
  for (const auto* worker : workers) {
    overview.requests_in_flight += worker->in_flight.value();
    overview.stuck_turns += worker->stuck_turns.value();
    worker->recent_failures.add_to(overview.failures);
    for (size_t i = 0; i < turns.size(); ++i) turns[i] += worker->turns.turns().bucket(i);
  }
  add_turns(turns, overview);
  names_.for_each_listener([&](uint32_t slot, const std::string& name) {
    auto& listener = overview.listeners.emplace_back(WorkersOverview::Listener{.name = name});
    for (const auto* worker : workers) {
      const auto* cells = worker->listeners.find(slot);
      if (!cells) continue;
      listener.open += cells->open.value();
      listener.accepted += cells->accepted.value();
    }
  });
  std::ranges::sort(overview.failures, std::ranges::greater(), &RecentFailure::at);
  return overview;
}

}  // namespace weir::observe
