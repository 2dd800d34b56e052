#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "async/event.h"
#include "async/task.h"
#include "base/arena.h"
#include "store/store.h"

namespace weir::store {

/// Appends to logs what it is given, in that order and however long the store is gone: one at a time, again and again
/// until it is in, so perhaps twice. Whenever nothing more waits, and from time to time, it publishes a word on the
/// channel of the log's name, for those who follow it. One thread.
class LogWriter {
 public:
  LogWriter(Loop& loop, BlockPool& blocks) : loop_(loop), blocks_(blocks), has_work_(loop) {}

  /// `instead` stands for this entry and all that were given before: when kMostWaiting wait already, it takes the place
  /// of those for this log, with a line in the log.
  void add(std::string log, std::string text, size_t most, std::string instead);
  /// From here on into this one.
  void use(Store& store);

 private:
  static constexpr size_t kMostWaiting = 4096;
  struct Order {
    std::string log;
    std::string text;
    size_t most;
  };
  Task<> work(Store& store);
  void drop_waiting(const std::string& log);

  Loop& loop_;
  BlockPool& blocks_;
  std::deque<Order> waiting_;  // the first one under way, when is_under_way_
  bool is_under_way_ = false;
  Event has_work_;
  Task<> task_;
};

}  // namespace weir::store
