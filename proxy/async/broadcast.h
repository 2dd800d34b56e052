#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "async/loop.h"
#include "async/sleep.h"

namespace weir {

/// Tells coroutines of any number of loops that something has changed. They look, and wait for news behind what
/// they have seen:
///
///   for (;;) {
///     const auto seen = broadcast.count();
///     if (is_there()) co_return;
///     if (!co_await broadcast.news(loop, seen, deadline)) co_return too_late();
///   }
///
/// Lives longer than who waits.
class Broadcast {
  struct Entry;

 public:
  Broadcast() = default;
  Broadcast(const Broadcast&) = delete;
  Broadcast& operator=(const Broadcast&) = delete;

  /// How much news there has been. Any thread.
  uint64_t count() const { return count_.load(std::memory_order_acquire); }
  /// Change something first, tell then. Any thread.
  void notify();

  class News;
  /// True when there is news behind `seen`, false at `deadline`. The loop's thread.
  News news(Loop& loop, uint64_t seen, Time deadline = Time::max());

 private:
  /// Null when there is news already.
  std::shared_ptr<Entry> enter(Loop& loop, uint64_t seen);
  void leave(const Entry& entry);

  std::atomic<uint64_t> count_ = 0;
  std::mutex mutex_;                             // guards what follows, and count_ against being missed
  std::vector<std::shared_ptr<Entry>> waiting_;  // in no order
};

class Broadcast::News : Waiter {
 public:
  News(Broadcast& broadcast, Loop& loop, uint64_t seen, Time deadline);
  ~News();
  bool await_ready() const noexcept { return !entry_ || deadline_ <= loop_.now(); }
  void await_suspend(std::coroutine_handle<> awaiter);
  bool await_resume() const noexcept;

 private:
  friend Broadcast;
  void wake();

  Broadcast& broadcast_;
  Loop& loop_;
  const Time deadline_;
  std::shared_ptr<Entry> entry_;  // two owners: this, and the broadcast or its letter
  Alarm<News, &News::wake> alarm_;
};

inline Broadcast::News Broadcast::news(Loop& loop, uint64_t seen, Time deadline) {
  return {*this, loop, seen, deadline};
}

}  // namespace weir
