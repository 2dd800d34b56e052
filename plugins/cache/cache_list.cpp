#include "plugins/cache/cache_list.h"

#include <algorithm>
#include <ranges>

namespace weir::plugins {

std::shared_ptr<const CacheList::Entry> CacheList::add(Entry entry) {
  const auto is_gone = [](const auto& weak) { return weak.expired(); };
  auto added = std::make_shared<const Entry>(std::move(entry));
  const std::lock_guard lock(mutex_);
  if (sweep_.is_due(caches_.size())) {
    for (auto& [name, namesakes] : caches_) std::erase_if(namesakes, is_gone);
    std::erase_if(caches_, [](const auto& named) { return named.second.empty(); });
    sweep_.done(caches_.size());
  }
  auto& namesakes = caches_[added->name];
  std::erase_if(namesakes, is_gone);
  namesakes.push_back(added);
  return added;
}

std::vector<std::shared_ptr<const CacheList::Entry>> CacheList::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const Entry>> all;
  for (const auto& [name, namesakes] : caches_) {
    for (const auto& weak : std::views::reverse(namesakes)) {
      auto entry = weak.lock();
      if (!entry) continue;
      all.push_back(std::move(entry));
      break;
    }
  }
  return all;
}

}  // namespace weir::plugins
