#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <expected>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace weir::observe {

/// Whole lines on their way to the writer.
struct LogBatch {
  static constexpr size_t kCapacity = 128 * 1024;  // more than the longest line of a head of 32 KiB, mostly
  size_t size = 0;
  std::array<char, kCapacity> bytes;

  std::span<char> room() { return std::span(bytes).subspan(size); }
};
using LogBatchPtr = std::unique_ptr<LogBatch>;

/// Writes batches to a file or a standard stream on a thread of its own, each with one write to a descriptor
/// opened to append: lines of several processes don't mix. At most 4 MiB wait. The destructor writes out what waits.
class LogWriter {
 public:
  /// A file descriptor, and the path by which to open it again; "" for a standard stream.
  struct Target {
    int fd = -1;
    std::string path;
    /// `stdout`, `stderr` or a file, which is made if it isn't there. Otherwise what went wrong.
    static std::expected<Target, std::string> open(const std::string& path);
  };

  explicit LogWriter(Target target);
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;
  ~LogWriter();

  /// An empty batch; null when the writer lags so far behind that lines have to be dropped.
  LogBatchPtr take();
  /// Hands a batch over. Never waits.
  void submit(LogBatchPtr batch);
  /// What is written from here on goes to a file opened anew.
  void reopen();
  /// Until all that was submitted is written. For tests and the end of the process.
  void wait_until_written();

 private:
  static constexpr size_t kBatches = 4 * 1024 * 1024 / LogBatch::kCapacity;

  void run();
  void write_all(std::string_view text);
  void open_again();

  Target target_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable written_;
  std::vector<LogBatchPtr> waiting_;
  std::vector<LogBatchPtr> free_;
  size_t submitted_ = 0;  // and not yet written
  bool is_writing_ = false;
  bool must_reopen_ = false;
  bool is_failing_ = false;  // the last write did: told once. The writer's thread.
  bool must_end_ = false;
  std::thread thread_;
};

}  // namespace weir::observe
