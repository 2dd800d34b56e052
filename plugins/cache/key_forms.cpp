#include "plugins/cache/key_forms.h"

#include <utility>

namespace weir::plugins {

std::shared_ptr<const CacheKey> KeyForms::share(CacheKey key) {
  const std::lock_guard lock(mutex_);
  std::erase_if(keys_, [](const auto& other) { return other.expired(); });
  for (const auto& weak : keys_) {
    if (auto known = weak.lock(); known && known->is_like(key)) return known;
  }
  auto added = std::make_shared<const CacheKey>(std::move(key));
  keys_.push_back(added);
  return added;
}

bool KeyForms::change_queries() const {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(keys_, [](const auto& weak) {
    const auto key = weak.lock();
    return key && key->changes_queries();
  });
}

}  // namespace weir::plugins
