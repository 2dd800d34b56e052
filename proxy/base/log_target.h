#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/units.h"

namespace weir {

/// The descriptor that a log is written to: a file, a named pipe, or a standard stream. A write never waits for the
/// reader of a pipe, a terminal or a socket; only a write to a disk may. The writer's thread.
class LogTarget {
 public:
  /// `stdout`, `stderr` or a path. A file is created if it does not exist. A named pipe that nobody reads is opened
  /// by a later write. Otherwise the reason, for the engineer.
  static std::expected<LogTarget, std::string> open(const std::string& path);
  /// Whether a path means a standard stream.
  static bool is_stream(std::string_view path);
  /// Takes over `fd`, to be opened again by `path`. With "" the descriptor stays the caller's.
  LogTarget(int fd, std::string path);
  LogTarget(LogTarget&& other) noexcept;
  LogTarget& operator=(LogTarget&& other) noexcept;
  ~LogTarget();

  struct Written {
    size_t count = 0;
    int error = 0;           // errno
    bool must_wait = false;  // no room, or no reader yet: `wait`, then write again
  };
  Written write(std::string_view text);
  /// Until a write has a chance again, `most` at the longest.
  void wait(Duration most) const;

  /// False after a line that was written in part.
  bool is_at_line_start() const { return is_at_line_start_; }
  /// "" for a standard stream, which is never opened again.
  const std::string& path() const { return path_; }
  /// For events: the path, `stdout` or `stderr`.
  std::string_view name() const;

 private:
  enum class Kind : uint8_t { disk, device, named_pipe, stream, socket };

  void find_kind();
  bool open_named_pipe();
  Written failed(int error) const;
  void close();

  int fd_ = -1;       // -1: a named pipe without a reader
  std::string path_;  // "": a standard stream, never closed here
  Kind kind_ = Kind::disk;
  bool has_reader_ = true;
  bool is_at_line_start_ = true;
};

}  // namespace weir
