#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "exchange/filter_context.h"
#include "plugins/cache/cache_list.h"
#include "plugins/cache/key_forms.h"
#include "plugins/cache/policy.h"
#include "plugins/cache/shared_level.h"
#include "plugins/cache/storage/shelf.h"

namespace weir::plugins {

/// Whether a cache has had keys that are more than a URL: then what becomes of a URL concerns more than its own key.
/// A slot of process_state. Any thread.
class LongerKeys {
 public:
  struct Settings {
    bool operator==(const Settings&) const = default;
  };
  static bool compatible(const Settings&, const Settings&) { return true; }
  explicit LongerKeys(const Settings&) {}

  bool are_there() const { return are_there_.load(std::memory_order_relaxed); }
  void note() {
    if (!are_there()) are_there_.store(true, std::memory_order_relaxed);
  }

 private:
  std::atomic<bool> are_there_ = false;
};

/// What a route's cache is made of, for the filter and for its tasks in the background. Immutable but for what it
/// points to.
struct CacheParts {
  CacheParts(const CacheSettings& settings, const FilterContext::Scope& name, FilterContext& context);

  const Purges& purges() const { return feed->purges(); }
  /// Says anew how much there is.
  void measure() const;

  const StoragePolicy policy;
  const std::shared_ptr<KeyForms> forms;
  const std::shared_ptr<const CacheKey> key;
  const std::shared_ptr<Shelf> shelf;
  const std::shared_ptr<PurgeFeed> feed;
  const std::shared_ptr<LongerKeys> longer;
  const std::optional<SharedLevel> shared;
  const Duration uncacheable_ttl;
  const uint64_t max_object;
  const std::shared_ptr<const CacheList::Entry> listed;
  const FilterMetrics::Hold held;
  SharedCount& refused_refreshes;
  SharedCount& left_out;

 private:
  SharedCount& bytes_;
  SharedCount& objects_;
  SharedCount& evictions_;
};

}  // namespace weir::plugins
