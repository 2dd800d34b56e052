#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/sweep.h"
#include "plugins/cache/key_forms.h"
#include "plugins/cache/purge_feed.h"
#include "plugins/cache/storage/shelf.h"

namespace weir::plugins {

/// All caches of the process, by name, for the admin API; it keeps none of them alive. Any thread.
class CacheList {
 public:
  struct Settings {};
  static bool compatible(const Settings&, const Settings&) { return true; }
  explicit CacheList(const Settings&) {}

  struct Entry {
    std::string name;
    std::shared_ptr<PurgeFeed> feed;
    std::shared_ptr<const Shelf> shelf;
    std::shared_ptr<const KeyForms> forms;
  };
  /// Listed for as long as the result lives.
  std::shared_ptr<const Entry> add(Entry entry);
  /// In the order of their names. Of several with one name, while a reload replaces them, the newest.
  std::vector<std::shared_ptr<const Entry>> all() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<std::weak_ptr<const Entry>>> caches_;
  Sweep sweep_;
};

}  // namespace weir::plugins
