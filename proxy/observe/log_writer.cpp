#include "observe/log_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace weir::observe {

namespace {

constexpr int kFlags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;

/// Signals are the main thread's business.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

/// Waits for room in a pipe that somebody made non-blocking.
void wait_for_room(int fd) {
  pollfd poll_fd{fd, POLLOUT, 0};
  poll(&poll_fd, 1, 1000);
}

}  // namespace

std::expected<LogWriter::Target, std::string> LogWriter::Target::open(const std::string& path) {
  if (path == "stdout") return Target{STDOUT_FILENO, ""};
  if (path == "stderr") return Target{STDERR_FILENO, ""};
  const int fd = ::open(path.c_str(), kFlags, 0644);
  if (fd < 0) return std::unexpected("'" + path + "' can't be opened: " + std::strerror(errno));
  return Target{fd, path};
}

LogWriter::LogWriter(Target target) : target_(std::move(target)), thread_([this] { run(); }) {}

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(mutex_);
    must_end_ = true;
  }
  work_.notify_one();
  thread_.join();
  if (!target_.path.empty()) ::close(target_.fd);
}

LogBatchPtr LogWriter::take() {
  const std::lock_guard lock(mutex_);
  if (submitted_ >= kBatches) return nullptr;
  if (!free_.empty()) {
    LogBatchPtr batch = std::move(free_.back());
    free_.pop_back();
    return batch;
  }
  return LogBatchPtr(new LogBatch);  // its bytes stay untouched
}

void LogWriter::submit(LogBatchPtr batch) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(batch));
    ++submitted_;
  }
  work_.notify_one();
}

void LogWriter::reopen() {
  {
    const std::lock_guard lock(mutex_);
    must_reopen_ = true;
  }
  work_.notify_one();
}

void LogWriter::wait_until_written() {
  std::unique_lock lock(mutex_);
  written_.wait(lock, [this] { return waiting_.empty() && !is_writing_ && !must_reopen_; });
}

void LogWriter::run() {
  block_signals();
  std::vector<LogBatchPtr> batches;
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return !waiting_.empty() || must_reopen_ || must_end_; });
    if (waiting_.empty() && !must_reopen_) return;
    batches.swap(waiting_);
    const bool reopen = must_reopen_;
    is_writing_ = true;
    lock.unlock();
    if (reopen) open_again();
    for (const auto& batch : batches) write_all({batch->bytes.data(), batch->size});
    lock.lock();
    if (reopen) must_reopen_ = false;
    is_writing_ = false;
    submitted_ -= batches.size();
    for (auto& batch : batches) {
      batch->size = 0;
      free_.push_back(std::move(batch));
    }
    batches.clear();
    written_.notify_all();
  }
}

void LogWriter::write_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(target_.fd, text.data(), text.size());
    if (count > 0) {
      text.remove_prefix(static_cast<size_t>(count));
    } else if (errno == EAGAIN) {
      wait_for_room(target_.fd);
    } else if (errno != EINTR) {
      if (!std::exchange(is_failing_, true)) log::error("access_log_write_failed", {{"error", std::strerror(errno)}});
      return;
    }
  }
  is_failing_ = false;
}

void LogWriter::open_again() {
  if (target_.path.empty()) return;
  auto again = Target::open(target_.path);
  if (!again) return log::error("access_log_reopen_failed", {{"error", again.error()}});
  ::close(target_.fd);
  target_ = std::move(*again);
}

}  // namespace weir::observe
