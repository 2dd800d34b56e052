#include "plugins/circuit_breaker/breaker_list.h"

#include <algorithm>
#include <ranges>

namespace weir::plugins {

namespace {

std::shared_ptr<Breaker> newest(const std::vector<std::weak_ptr<Breaker>>& breakers) {
  for (const auto& breaker : std::views::reverse(breakers)) {
    if (auto alive = breaker.lock()) return alive;
  }
  return nullptr;
}

}  // namespace

void BreakerList::add(const std::shared_ptr<Breaker>& breaker) {
  const std::lock_guard lock(mutex_);
  if (sweep_.is_due(breakers_.size())) {
    std::erase_if(breakers_, [](const auto& entry) { return !newest(entry.second); });
    sweep_.done(breakers_.size());
  }
  auto& namesakes = breakers_[breaker->name()];
  if (newest(namesakes) == breaker) return;
  std::erase_if(namesakes, [](const auto& other) { return other.expired(); });
  namesakes.push_back(breaker);
}

std::shared_ptr<Breaker> BreakerList::find(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = breakers_.find(name);
  return found == breakers_.end() ? nullptr : newest(found->second);
}

std::vector<std::shared_ptr<Breaker>> BreakerList::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Breaker>> all;
  for (const auto& [name, namesakes] : breakers_) {
    if (auto breaker = newest(namesakes)) all.push_back(std::move(breaker));
  }
  return all;
}

}  // namespace weir::plugins
