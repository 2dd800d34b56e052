#include "observe/recent_failures.h"

#include <algorithm>

#include "observe/log_fields.h"

namespace weir::observe {

namespace {

template <class One, class Other>
bool are_of_one_kind(const One& one, const Other& other) {
  return one.code == other.code && one.upstream == other.upstream && one.by == other.by;
}

}  // namespace

void RecentFailures::note(const Exchange& exchange, std::chrono::system_clock::time_point now) {
  const Failure* const failure = told_failure(exchange);
  if (!failure) return;
  const std::lock_guard lock(mutex_);
  auto& last = entry(*failure);
  ++last.count;
  last.at = now;
  last.detail = failure->detail;
  last.endpoint = failure->endpoint;
  last.route = exchange.route ? std::string_view(exchange.route->name) : std::string_view();
  last.request_id = exchange.id;
  last.method = exchange.request.method_name;
  last.host = exchange.request.authority.substr(0, RecentFailures::kLongestPath);
  last.path = exchange.request.path.substr(0, RecentFailures::kLongestPath);
  if (!exchange.failure) ++last.replaced;
}

RecentFailure& RecentFailures::entry(const Failure& failure) {
  const auto found = std::ranges::find_if(entries_, [&](const auto& entry) { return are_of_one_kind(entry, failure); });
  if (found != entries_.end()) return *found;
  auto& made =
      entries_.size() < kMost ? entries_.emplace_back() : *std::ranges::min_element(entries_, {}, &RecentFailure::at);
  made.code = failure.code;
  made.upstream = failure.upstream;
  made.by = failure.by;
  made.count = made.replaced = 0;
  return made;
}

void RecentFailures::add_to(std::vector<RecentFailure>& into) const {
  const std::lock_guard lock(mutex_);
  for (const auto& entry : entries_) {
    const auto same = std::ranges::find_if(into, [&](const auto& other) { return are_of_one_kind(entry, other); });
    if (same == into.end()) {
      into.push_back(entry);
      continue;
    }
    const uint64_t count = same->count + entry.count, replaced = same->replaced + entry.replaced;
    if (entry.at > same->at) *same = entry;
    same->count = count;
    same->replaced = replaced;
  }
}

}  // namespace weir::observe
