#pragma once

#include <memory>
#include <string>
#include <vector>

#include "async/task_group.h"
#include "base/arena.h"
#include "base/sweep.h"
#include "store/channels.h"
#include "store/log_follower.h"
#include "store/log_writer.h"
#include "store/store.h"

namespace weir::store {

/// Speaks to the store for those who have no view of it and nothing to wait in, such as a state shared by all workers:
/// whoever calls goes on at once and isn't told how it went. What is said before there is a store waits for it. Any
/// thread, but for `use`; the work is done on the loop's.
class Announcer {
 public:
  Announcer(Loop& loop, Channels& channels)
      : loop_(loop), channels_(channels), log_writer_(loop, blocks_), tasks_(loop) {}

  /// Store::publish and Store::put.
  void publish(std::string channel, std::string text);
  void put(std::string key, std::string value, Duration keep);
  /// Hears what is published, and at first, for those who come late, what was put under the channel's own name.
  [[nodiscard]] Channels::Subscription listen(std::string channel, Channels::Hear hear);

  /// Store::append, and that is certain as long as the process lives: tried until the store is back, or another one
  /// used. `instead`: an entry that stands for this one and all that were given for the log before, and goes there in
  /// their place when too many wait.
  void append(std::string log, std::string value, size_t most, std::string instead);
  /// Hears every entry of the log once and in order, from the first one kept, on the loop's thread: log_follower.h.
  [[nodiscard]] LogFollower::Subscription follow(std::string log, LogEars ears);

  const Clock& clock() const { return loop_.clock(); }

  /// From here on this one; calls to the one before are given up. The loop's thread.
  void use(Store& store);

 private:
  struct Order {
    enum class Kind : uint8_t { publish, put, recall };
    Kind kind;
    std::string name;
    std::string text;
    Duration keep{};
  };
  void post(Order order);
  Task<> carry_out(Order order);
  Task<> recall(Order order);

  Loop& loop_;
  Channels& channels_;
  Store* store_ = nullptr;
  std::vector<Order> waiting_;  // for a store
  BlockPool blocks_{4096, 1};
  LogWriter log_writer_;
  LogFollower::Pace pace_;
  std::vector<std::unique_ptr<LogFollower>> followers_;
  Sweep sweep_;
  TaskGroup tasks_;
};

}  // namespace weir::store
