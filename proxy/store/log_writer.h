#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "async/event.h"
#include "async/task.h"
#include "base/arena.h"
#include "base/paced.h"
#include "store/store.h"

namespace weir::store {

/// Appends to logs what it is given, for each log in that order and however long the store is gone: many entries in a
/// call, again and again until they are in, so perhaps twice. A few logs at a time, in turn. After each call it
/// publishes a word on the channel of the log's name, for those who follow it, and leaves them time to read. One
/// thread.
class LogWriter {
 public:
  static constexpr size_t kMostOfLog = 16'384;    // entries that wait for one log
  static constexpr size_t kMostWaiting = 65'536;  // for all logs, beside a few for each
  static constexpr size_t kMostAtOnce = 256;      // in one call, and a sixteenth of what the log keeps

  LogWriter(Loop& loop, BlockPool& blocks) : loop_(loop), blocks_(blocks), has_work_(loop) {}

  /// `instead` stands for this entry and all that were given before: when too many wait already, it takes the place of
  /// those for this log, with a line in the log.
  void add(const std::string& log, std::string text, size_t most, std::string instead);
  /// From here on into this one.
  void use(Store& store);

 private:
  static constexpr size_t kFew = 16;   // entries of a log that wait, though too many wait for all logs
  static constexpr size_t kLanes = 8;  // calls at a time
  struct Queue {
    std::deque<std::string> texts;
    size_t most = 0;
    size_t under_way = 0;  // the first ones
    enum class State : uint8_t { idle, in_turn, in_work } state = State::idle;
  };
  using Named = std::map<std::string, Queue>::value_type;

  Task<> work(Store& store);
  Task<bool> write(Store& store, Named& named);
  void take_turn(Named& named);
  void replace(Named& named, std::string instead);

  Loop& loop_;
  BlockPool& blocks_;
  std::map<std::string, Queue> queues_;  // of logs for which something waits
  std::deque<Named*> turns_;             // of those that are `in_turn`
  size_t waiting_ = 0;
  Paced replaced_;  // log lines
  Event has_work_;
  std::vector<Task<>> lanes_;
};

}  // namespace weir::store
