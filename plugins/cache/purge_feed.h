#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "base/paced.h"
#include "plugins/cache/storage/purges.h"
#include "store/announcer.h"

namespace weir::plugins {

/// The orders to forget of all caches of one name, in this process and in those that share its store: what is ordered
/// here counts here at once, and elsewhere as soon as the log of the store tells of it, in which none is lost. A slot
/// of process_state. Any thread.
class PurgeFeed {
 public:
  struct Settings {
    std::string name;
    store::Announcer* announcer = nullptr;  // null: nobody else is told
  };
  static bool compatible(const Settings& old, const Settings& now) { return old.announcer == now.announcer; }
  explicit PurgeFeed(const Settings& settings);
  PurgeFeed(const PurgeFeed&) = delete;
  PurgeFeed& operator=(const PurgeFeed&) = delete;

  /// Its number.
  uint64_t order(const Purge& purge);
  const std::string& name() const { return name_; }
  /// As they are now; orders are given by `order`.
  Purges& purges() { return purges_; }
  const Purges& purges() const { return purges_; }

 private:
  void tell(const Purge& purge, uint64_t number);
  void hear(const store::Entry& entry);
  void tell_not_understood(const store::Entry& entry);
  void catch_up();
  void lose();

  const std::string name_;
  const std::string log_;
  const std::string id_;  // whose orders are obeyed already when they are heard
  store::Announcer* const announcer_;
  bool has_marked_ = false;  // the follower's thread
  Paced not_understood_;     // log lines
  Purges purges_{{}};
  std::mutex telling_;  // so that all hear the orders as they were numbered
  store::LogFollower::Subscription following_;
};

}  // namespace weir::plugins
