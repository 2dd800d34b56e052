#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/sweep.h"
#include "plugins/cache/purge_feed.h"
#include "plugins/cache/storage/shelf.h"

namespace weir::plugins {

/// All caches of the process, by name, for the admin API; it keeps none of them alive. Any thread.
class CacheList {
 public:
  struct Settings {};
  static bool compatible(const Settings&, const Settings&) { return true; }
  explicit CacheList(const Settings&) {}

  /// One cache; again for the same does nothing.
  void add(const std::shared_ptr<PurgeFeed>& feed, const std::shared_ptr<const Shelf>& shelf);

  struct Cache {
    std::shared_ptr<PurgeFeed> feed;
    std::shared_ptr<const Shelf> shelf;
  };
  /// In the order of their names. Of several with one name, while a reload replaces them, the newest.
  std::vector<Cache> all() const;

 private:
  struct Entry {
    std::weak_ptr<PurgeFeed> feed;
    std::weak_ptr<const Shelf> shelf;
    bool is_gone() const { return feed.expired() || shelf.expired(); }
  };
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<Entry>> caches_;
  Sweep sweep_;
};

}  // namespace weir::plugins
