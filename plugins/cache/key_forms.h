#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "exchange/arena_list.h"
#include "plugins/cache/key.h"

namespace weir::plugins {

/// The normal forms that the routes of one cache give to a URL: as many as there are different settings of `query`. A
/// purge of a URL means all of them. A slot of process_state. Any thread.
class KeyForms {
 public:
  struct Settings {};
  static bool compatible(const Settings&, const Settings&) { return true; }
  explicit KeyForms(const Settings&) {}

  /// The one key with these settings, which counts for as long as somebody keeps it.
  std::shared_ptr<const CacheKey> share(CacheKey key);

  /// Calls `visit(form)` with each form of `url`, an absolute URL; none twice. Nothing when no request may have it.
  template <class Visit>
  void for_each(std::string_view url, Arena& arena, Visit visit) const {
    ArenaList<std::string_view> seen(arena);
    const std::lock_guard lock(mutex_);
    for (const auto& weak : keys_) {
      const auto key = weak.lock();
      const auto form = key ? key->normal(url, arena) : std::nullopt;
      if (!form || std::ranges::find(seen, *form) != seen.end()) continue;
      visit(seen.add(*form));
    }
  }
  /// Some URLs have another query in their normal form.
  bool change_queries() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<const CacheKey>> keys_;
};

}  // namespace weir::plugins
