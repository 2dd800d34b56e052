#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/log_target.h"
#include "base/units.h"

namespace weir {

/// Whole lines on their way to the writer.
struct LogBatch {
  static constexpr size_t kCapacity = 128 * 1024;
  size_t size = 0;
  std::array<char, kCapacity> bytes;

  std::span<char> room() { return std::span(bytes).subspan(size); }
  std::string_view text() const { return {bytes.data(), size}; }
  void add(std::string_view lines) {
    std::ranges::copy(lines, bytes.data() + size);
    size += lines.size();
  }
};
using LogBatchPtr = std::unique_ptr<LogBatch>;

/// Lines that never reached their log. Shared by all writers of one log, over reloads. Any thread.
using DroppedLines = std::shared_ptr<std::atomic<uint64_t>>;

/// What happened to a log.
struct LogNews {
  enum class What : uint8_t {
    lagging,        // the queue is full: lines are dropped
    no_reader,      // nobody reads the named pipe: lines wait
    failing,        // a write failed: `why`
    recovered,      // lines are written again, after `lines` were dropped
    reopened,       // the file was opened again
    reopen_failed,  // `why`; the old file stays in use
  } what;
  std::string_view log;  // its file, `stdout` or `stderr`
  std::string_view why;
  uint64_t lines = 0;
};

struct LogWriterOptions {
  size_t batches = 4 * 1024 * 1024 / LogBatch::kCapacity;  // that may wait
  DroppedLines dropped = std::make_shared<std::atomic<uint64_t>>(0);
  /// Called without a lock, on the writer's thread or that of a caller, also after the LogWriter is gone. Each news
  /// that may repeat comes once in 10 s at most.
  std::function<void(const LogNews&)> tell = [](const LogNews&) {};
  /// How long the rest of a LogWriter that is gone waits for a target that takes nothing.
  Duration patience = std::chrono::seconds(10);
};

/// A thread that writes batches to a target, and the bounded queue before it. No function waits for the target, nor
/// does the destructor: the thread writes the rest and ends, or gives up when the target has taken nothing for
/// `patience` since then.
class LogWriter {
 public:
  /// Throws std::system_error if no thread can be started.
  explicit LogWriter(LogTarget target, LogWriterOptions options = {});
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;
  ~LogWriter();

  /// An empty batch; null if the queue is full: the caller drops its lines.
  LogBatchPtr take();
  void submit(LogBatchPtr batch);
  /// Counts lines that the caller dropped.
  void drop(uint64_t lines);
  /// Copies lines into the queue; drops and counts them if the queue is full.
  void write(std::string_view lines);
  /// Opens the file again before the next write, and tells the outcome.
  void reopen();

  /// Until all that was submitted is written or dropped. False when that took longer than `most`.
  bool wait_until_written(Duration most);
  /// For the end of the process: until the threads of all destroyed writers have ended, `most` at the longest. Returns
  /// the number of lines that they still hold.
  static uint64_t wait_for_ended(Duration most);

 private:
  struct Core;
  struct Ownerless;
  std::shared_ptr<Core> core_;  // shared with the thread, which may outlive the LogWriter
};

}  // namespace weir
