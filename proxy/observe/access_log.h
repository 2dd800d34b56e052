#pragma once

#include <memory>
#include <string>

#include "async/loop.h"
#include "base/metrics.h"
#include "config/reader.h"
#include "exchange/exchange.h"
#include "observe/log_format.h"
#include "observe/log_writer.h"

namespace weir::observe {

/// `access_log: { path: stdout, format: json }`, or `access_log: off`.
struct AccessLogSettings {
  config::Located<std::string> path{"stdout"};  // stdout, stderr, off, or a file
  config::Located<std::string> format{"json"};  // json, combined, or a template
};
void decode(config::Reader& r, AccessLogSettings& settings);

/// Where lines go and how they read: one for the process, changed by a reload for another. The last owner
/// writes out what is left, so let that be the supervisor. Immutable, any thread.
class AccessLog {
 public:
  /// Null for `off`. What is wrong (a template, a file that can't be opened) is added to `problems`: null then too.
  static std::shared_ptr<AccessLog> open(const AccessLogSettings& settings, config::Problems& problems);
  AccessLog(LogFormat format, LogWriter::Target target) : format_(std::move(format)), writer_(std::move(target)) {}

  /// Opens the file anew (SIGUSR1), after a rotation. Any thread, even before anything was logged.
  void reopen() { writer_.reopen(); }
  const LogFormat& format() const { return format_; }
  LogWriter& writer() { return writer_; }

 private:
  LogFormat format_;
  LogWriter writer_;
};

/// A worker's end of the access log: formats each line into a buffer of its own and hands it to the writer when
/// it has 32 KiB, or 200 ms after its first line. Never waits: lines that find no buffer are dropped and counted.
/// The worker's thread.
class WorkerAccessLog {
 public:
  WorkerAccessLog(Loop& loop, Counter& drops);
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
  Counter& drops_;
  std::shared_ptr<AccessLog> log_;
  LogBatchPtr batch_;  // null: nothing is buffered
  WallClockText wall_;
  Tardiness tardiness_;
};

}  // namespace weir::observe
