#pragma once

#include <deque>
#include <string>

#include "async/event.h"
#include "async/task.h"
#include "base/arena.h"
#include "store/store.h"

namespace weir::store {

/// Appends to logs what it is given, in that order and however long the store is gone: one at a time, again and again
/// until it is in, so perhaps twice. After each it publishes a word on the channel of the log's name, for those who
/// follow it. One thread.
class LogWriter {
 public:
  LogWriter(Loop& loop, BlockPool& blocks) : loop_(loop), blocks_(blocks), has_work_(loop) {}

  /// Refused, with a line in the log, when kMostWaiting wait already.
  void add(std::string log, std::string text, size_t most);
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

  Loop& loop_;
  BlockPool& blocks_;
  std::deque<Order> waiting_;  // the first one under way
  Event has_work_;
  Task<> task_;
};

}  // namespace weir::store
