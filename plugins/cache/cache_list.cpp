#include "plugins/cache/cache_list.h"

#include <algorithm>
#include <ranges>

namespace weir::plugins {

void CacheList::add(const std::shared_ptr<PurgeFeed>& feed, const std::shared_ptr<const Shelf>& shelf) {
  const std::lock_guard lock(mutex_);
  if (sweep_.is_due(caches_.size())) {
    for (auto& [name, namesakes] : caches_) std::erase_if(namesakes, [](const Entry& e) { return e.is_gone(); });
    std::erase_if(caches_, [](const auto& named) { return named.second.empty(); });
    sweep_.done(caches_.size());
  }
  auto& namesakes = caches_[feed->name()];
  std::erase_if(namesakes, [](const Entry& entry) { return entry.is_gone(); });
  const bool is_known = std::ranges::any_of(
      namesakes, [&](const Entry& entry) { return entry.feed.lock() == feed && entry.shelf.lock() == shelf; });
  if (!is_known) namesakes.push_back({feed, shelf});
}

std::vector<CacheList::Cache> CacheList::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<Cache> all;
  for (const auto& [name, namesakes] : caches_) {
    for (const auto& entry : std::views::reverse(namesakes)) {
      Cache cache{entry.feed.lock(), entry.shelf.lock()};
      if (!cache.feed || !cache.shelf) continue;
      all.push_back(std::move(cache));
      break;
    }
  }
  return all;
}

}  // namespace weir::plugins
