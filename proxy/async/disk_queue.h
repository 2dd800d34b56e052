#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "async/sleep.h"

namespace weir {

/// The calls that may block on one disk, on a few threads of its own, so that a disk that hangs holds up no user of
/// another disk. Each client's calls wait in a line of their own, and the lines take turns. A line gets one more call
/// while it has fewer than are free, as in a FairShare: one client fills half of the queue, the next finds room. Calls
/// that nobody waits for are neither refused nor counted; who makes them bounds them. Any thread may ask. Its threads
/// are waited for by nobody: the queue may be destroyed, and the process may end, while a call hangs.
class DiskQueue {
 public:
  using Work = std::move_only_function<int()>;  // an errno, 0 = done; doesn't throw
  struct Settings {
    size_t threads = 4;
    size_t most_waiting = 1024;                    // calls that no thread has begun
    Duration patience = std::chrono::seconds(10);  // of who waits for a call
  };
  static bool compatible(const Settings&, const Settings&) { return true; }

  explicit DiskQueue(const Settings& settings);
  DiskQueue(const DiskQueue&) = delete;
  DiskQueue& operator=(const DiskQueue&) = delete;
  ~DiskQueue();

  class Call;
  /// `co_await run(...)`: the errno of `work`; EBUSY: the client has its share of the queue; ETIMEDOUT: the disk took
  /// longer than `patience`, the time in the line included. When the awaiter is destroyed, or its patience is over, a
  /// call that no thread has begun is removed; one under way ends unheard. What `work` owns is destroyed with it, by
  /// its thread once it has begun. Where the system has no thread at all, `work` runs at once, on the loop's own.
  Call run(Loop& loop, std::string_view client, Work work);
  /// Work that nobody waits for.
  void run_unattended(std::string_view client, Work work);
  /// Calls in the lines, those that nobody waits for among them.
  size_t waiting() const;

 private:
  struct Job;
  struct Shared;

  const std::shared_ptr<Shared> shared_;  // with the threads
};

/// What `run` awaits. On one loop's thread; the queue outlives it.
class DiskQueue::Call : Waiter {
 public:
  Call(std::shared_ptr<Shared> shared, Loop& loop, std::string_view client, Work work);
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call();

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiter);
  int await_resume() const noexcept { return error_; }

 private:
  friend DiskQueue;
  void settle(int error);
  void expired();

  const std::shared_ptr<Shared> shared_;
  Loop& loop_;
  std::shared_ptr<Job> job_;  // null: it is over
  int error_ = 0;
  Alarm<Call, &Call::expired> alarm_;
};

}  // namespace weir
