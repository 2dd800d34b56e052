#pragma once

#include <memory>
#include <string>

#include "async/loop.h"
#include "base/log_writer.h"
#include "config/reader.h"
#include "exchange/exchange.h"
#include "observe/log_format.h"

namespace weir::observe {

/// `access_log: { path: stdout, format: json }`, or `access_log: off`.
struct AccessLogSettings {
  config::Located<std::string> path{"stdout"};  // stdout, stderr, off, or a file
  config::Located<std::string> format{"json"};  // json, combined, or a template

  /// The path of a file; "" for a standard stream or none.
  std::string file() const;
};
void decode(config::Reader& r, AccessLogSettings& settings);

/// Where lines go and how they read: one for the process, changed by a reload for another. What is left is written
/// after the last owner is gone. Immutable, any thread.
class AccessLog {
 public:
  /// Null for `off`. What is wrong (a template, a file that can't be opened) is added to `problems`: null then too.
  static std::shared_ptr<AccessLog> open(const AccessLogSettings& settings, config::Problems& problems,
                                         DroppedLines dropped = std::make_shared<std::atomic<uint64_t>>(0));
  AccessLog(LogFormat format, LogTarget target, DroppedLines dropped);

  /// Opens the file again (SIGUSR1), after a rotation; an event tells the outcome. Any thread, even before anything was
  /// logged.
  void reopen();
  const LogFormat& format() const { return format_; }
  LogWriter& writer() { return writer_; }

 private:
  LogFormat format_;
  bool is_stream_;
  LogWriter writer_;
};

/// A worker's end of the access log: formats each line into a buffer of its own and hands it to the writer when
/// it has 32 KiB, or 200 ms after its first line. Never waits: lines that find no buffer are dropped and counted.
/// The worker's thread.
class WorkerAccessLog {
 public:
  explicit WorkerAccessLog(Loop& loop);
  WorkerAccessLog(const WorkerAccessLog&) = delete;
  WorkerAccessLog& operator=(const WorkerAccessLog&) = delete;
  ~WorkerAccessLog() { flush(); }

  /// From here on lines go there; null = nowhere. What was buffered still goes to the old one.
  void use(std::shared_ptr<AccessLog> log);
  /// One line, for an exchange that is over.
  void write(Exchange& exchange);
  /// Hands over what there is.
  void flush();

 private:
  bool append(Exchange& exchange);
  struct Tardiness : TimerNode {
    WorkerAccessLog* log;
  };

  Loop& loop_;
  std::shared_ptr<AccessLog> log_;
  LogBatchPtr batch_;  // null: nothing is buffered
  WallClockText wall_;
  Tardiness tardiness_;
};

}  // namespace weir::observe
