#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "async/sleep.h"

namespace weir {

/// Runs the blocking calls to one disk on a few threads of its own, so that a disk that hangs delays no user of another
/// disk. The calls of each client wait in a separate line, and the lines take turns. A line gets another call while the
/// line has fewer calls than the queue has free places, as in a FairShare: one client fills half of the queue, and the
/// next client finds room. Unattended calls are neither refused nor counted; their callers bound them. Any thread may
/// call. The threads are detached: the queue may be destroyed, and the process may end, while a call hangs.
class DiskQueue {
 public:
  using Work = std::move_only_function<int()>;  // an errno, 0 = done; doesn't throw
  struct Settings {
    size_t threads = 4;
    size_t most_waiting = 1024;                    // calls before a thread begins them
    Duration patience = std::chrono::seconds(10);  // of a caller, from `run` on
  };
  static bool compatible(const Settings&, const Settings&) { return true; }

  explicit DiskQueue(const Settings& settings);
  DiskQueue(const DiskQueue&) = delete;
  DiskQueue& operator=(const DiskQueue&) = delete;
  ~DiskQueue();

  class Call;
  /// `co_await run(...)` returns the errno of `work`; EBUSY when the client has its share of the queue; ETIMEDOUT when
  /// the disk took longer than `patience`, including the time in the line. When the awaiter is destroyed or times out,
  /// a call in the line is removed, and the result of a call under way is dropped. The thread that ran `work` destroys
  /// the captures of `work`. If the system refuses to start any thread, `work` runs at once on the loop's thread.
  Call run(Loop& loop, std::string_view client, Work work);
  /// Runs `work` without a waiter.
  void run_unattended(std::string_view client, Work work);
  /// The number of calls in the lines, including unattended calls.
  size_t waiting() const;

 private:
  struct Job;
  struct Shared;

  const std::shared_ptr<Shared> shared_;  // with the threads
};

/// The awaiter of `run`. Used on one loop's thread; the queue outlives the awaiter.
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
  std::shared_ptr<Job> job_;  // null: the call is over
  int error_ = 0;
  Alarm<Call, &Call::expired> alarm_;
};

}  // namespace weir
