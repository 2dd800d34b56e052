#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <string_view>

#include "base/paced.h"
#include "exchange/filter_metrics.h"
#include "plugins/cache/storage/purges.h"
#include "store/announcer.h"

namespace weir::plugins {

/// The orders to forget of all caches of one name, in this process and in those that share its store: what is ordered
/// here counts here at once, and elsewhere as soon as the log of the store tells of it. When the store loses the log,
/// what is stored is doubtful, if others have a say in it: the cache is shared, or has had an order. A slot of
/// process_state. Any thread.
class PurgeFeed {
 public:
  struct Settings {
    std::string name;
    store::Announcer* announcer = nullptr;  // null: nobody else is told
    FilterMetrics* metrics = nullptr;       // null: nobody looks
    std::string label;                      // in them
  };
  static bool compatible(const Settings& old, const Settings& now) { return old.announcer == now.announcer; }
  explicit PurgeFeed(const Settings& settings);
  PurgeFeed(const PurgeFeed&) = delete;
  PurgeFeed& operator=(const PurgeFeed&) = delete;

  /// Its number.
  uint64_t order(const Purge& purge);
  /// Others store what this cache answers with, so the orders that they gave concern it.
  void share() { is_of_concern_.store(true, std::memory_order_relaxed); }
  /// How often the store has lost the log, and with it orders, perhaps.
  uint64_t losses() const { return losses_.load(std::memory_order_relaxed); }
  const std::string& name() const { return name_; }
  /// As they are now; orders are given by `order`.
  Purges& purges() { return purges_; }
  const Purges& purges() const { return purges_; }

 private:
  uint64_t give(const Purge& purge);
  void tell(const Purge& purge, uint64_t number);
  void hear(const store::Entry& entry);
  void tell_not_understood(const store::Entry& entry);
  void catch_up();
  void lose();

  const std::string name_;
  const std::string log_;
  const std::string id_;  // whose orders are obeyed already when they are heard
  store::Announcer* const announcer_;
  FilterMetrics::Hold held_;
  SharedCount* lost_ = nullptr;
  bool has_marked_ = false;                  // the follower's thread
  std::atomic<bool> is_of_concern_ = false;  // shared, or has had an order
  std::atomic<uint64_t> losses_ = 0;
  Paced not_understood_;  // log lines
  Purges purges_{{}};
  std::mutex telling_;  // so that all hear the orders as they were numbered
  store::LogFollower::Subscription following_;
};

}  // namespace weir::plugins
