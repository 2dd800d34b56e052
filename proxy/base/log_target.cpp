#include "base/log_target.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

// How a write is kept from waiting. Files and named pipes are opened here, with O_NONBLOCK. A standard stream is shared
// with other processes, so its flags stay as they are: a socket is written with MSG_DONTWAIT; a pipe or a terminal is
// polled first and given at most PIPE_BUF bytes, which poll(2) promises room for.

namespace weir {

namespace {

constexpr int kFlags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK;

bool is_named_pipe(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISFIFO(info.st_mode);
}

bool is_ready(int fd) {
  pollfd poll_fd{fd, POLLOUT, 0};
  return ::poll(&poll_fd, 1, 0) > 0;
}

/// Whole lines of at most PIPE_BUF bytes, which several writers of a pipe do not mix; a longer line in parts.
std::string_view atomic_part(std::string_view text) {
  if (text.size() <= PIPE_BUF) return text;
  const auto end = text.rfind('\n', PIPE_BUF - 1);
  return text.substr(0, end == std::string_view::npos ? PIPE_BUF : end + 1);
}

/// False when an earlier process left a line unfinished, for want of time or of disk.
bool ends_with_a_line(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return true;
  struct stat info{};
  char last = '\n';
  if (::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0)
    (void)!::pread(fd, &last, 1, info.st_size - 1);
  ::close(fd);
  return last == '\n';
}

}  // namespace

bool LogTarget::is_stream(std::string_view path) {
  return path == "stdout" || path == "stderr" || path == "/dev/stdout" || path == "/dev/stderr";
}

std::expected<LogTarget, std::string> LogTarget::open(const std::string& path) {
  if (is_stream(path)) return LogTarget(path.ends_with("stdout") ? STDOUT_FILENO : STDERR_FILENO, "");
  const int fd = ::open(path.c_str(), kFlags, 0644);
  if (fd < 0 && !(errno == ENXIO && is_named_pipe(path)))
    return std::unexpected("'" + path + "' can't be opened: " + std::strerror(errno));
  return LogTarget(fd, path);
}

LogTarget::LogTarget(int fd, std::string path) : fd_(fd), path_(std::move(path)) { find_kind(); }

LogTarget::LogTarget(LogTarget&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::exchange(other.path_, {})),
      kind_(other.kind_),
      has_reader_(other.has_reader_),
      is_at_line_start_(other.is_at_line_start_) {}

LogTarget& LogTarget::operator=(LogTarget&& other) noexcept {
  close();
  fd_ = std::exchange(other.fd_, -1);
  path_ = std::exchange(other.path_, {});
  kind_ = other.kind_;
  has_reader_ = other.has_reader_;
  is_at_line_start_ = other.is_at_line_start_;
  return *this;
}

LogTarget::~LogTarget() { close(); }

std::string_view LogTarget::name() const {
  if (!path_.empty()) return path_;
  return fd_ == STDOUT_FILENO ? "stdout" : "stderr";
}

void LogTarget::close() {
  if (!path_.empty() && fd_ >= 0) ::close(fd_);
}

void LogTarget::find_kind() {
  struct stat info{};
  has_reader_ = fd_ >= 0;
  if (fd_ < 0) {
    kind_ = Kind::named_pipe;
  } else if (::fstat(fd_, &info) != 0 || S_ISREG(info.st_mode)) {
    kind_ = Kind::disk;
    if (!path_.empty()) is_at_line_start_ = ends_with_a_line(path_);
  } else if (S_ISSOCK(info.st_mode)) {
    kind_ = Kind::socket;
  } else if (path_.empty()) {
    kind_ = Kind::stream;
  } else {
    kind_ = S_ISFIFO(info.st_mode) ? Kind::named_pipe : Kind::device;
  }
}

bool LogTarget::open_named_pipe() {
  fd_ = ::open(path_.c_str(), kFlags & ~O_CREAT);
  has_reader_ = fd_ >= 0;
  return has_reader_;
}

/// A named pipe that was removed comes back, or its place is taken when the log is opened again.
LogTarget::Written LogTarget::failed(int error) const {
  const bool lacks_reader = kind_ == Kind::named_pipe && (error == EPIPE || error == ENXIO || error == ENOENT);
  return {.error = error, .must_wait = error == EAGAIN || error == EINTR || lacks_reader};
}

LogTarget::Written LogTarget::write(std::string_view text) {
  if (fd_ < 0 && !open_named_pipe()) return failed(errno);
  ssize_t count = 0;
  switch (kind_) {
    case Kind::disk:
    case Kind::device:
    case Kind::named_pipe: count = ::write(fd_, text.data(), text.size()); break;
    case Kind::socket: count = ::send(fd_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL); break;
    case Kind::stream: {
      if (!is_ready(fd_)) return failed(EAGAIN);
      const auto part = atomic_part(text);
      count = ::write(fd_, part.data(), part.size());
      break;
    }
  }
  has_reader_ = count >= 0 || errno != EPIPE;
  if (count < 0) return failed(errno);
  if (count == 0) return failed(ENOSPC);  // a device that takes nothing
  is_at_line_start_ = text[static_cast<size_t>(count) - 1] == '\n';
  return {.count = static_cast<size_t>(count)};
}

void LogTarget::wait(Duration most) const {
  const auto ms = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(most).count());
  pollfd poll_fd{has_reader_ ? fd_ : -1, POLLOUT, 0};  // poll(2) ignores -1: nobody to wait for
  ::poll(&poll_fd, 1, ms);
}

}  // namespace weir
