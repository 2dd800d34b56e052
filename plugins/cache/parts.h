#pragma once

#include <memory>
#include <optional>
#include <string>

#include "exchange/filter_context.h"
#include "plugins/cache/policy.h"
#include "plugins/cache/purge_feed.h"
#include "plugins/cache/shared_level.h"
#include "plugins/cache/storage/shelf.h"

namespace weir::plugins {

/// What a route's cache is made of, for the filter and for its tasks in the background. Immutable but for what it
/// points to.
struct CacheParts {
  CacheParts(const CacheSettings& settings, const std::string& name, FilterContext& context);

  const Purges& purges() const { return feed->purges(); }
  /// Says anew how much there is.
  void measure() const;

  const StoragePolicy policy;
  const std::shared_ptr<Shelf> shelf;
  const std::shared_ptr<PurgeFeed> feed;
  const std::optional<SharedLevel> shared;
  const Duration uncacheable_ttl;
  const uint64_t max_object;

 private:
  SharedCount& bytes_;
  SharedCount& objects_;
  SharedCount& evictions_;
};

}  // namespace weir::plugins
