#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <optional>

#include "async/loop.h"
#include "async/sleep.h"

namespace weir {

/// Coroutines of any number of loops in one line, first in, first out, for something scarce. Who frees some calls
/// the first of the line, which tries to take it, on its own thread. Lives longer than its places.
///
///   auto place = queue.enter(loop, capacity);             // nothing: the line is full
///   while (co_await place->turn(deadline)) {              // false: too late
///     if (auto taken = try_take()) co_return taken;       // not taken: it stays the first of the line
///   }
///
/// Whoever isn't in line takes nothing while `is_awaited`, so nobody overtakes. A place that goes calls the next:
/// its call may be unused, or there may be more than it took.
class WaitQueue {
  struct Entry;

 public:
  WaitQueue() = default;
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;

  /// Any thread: someone is in line or has been called. Free something first, ask then.
  bool is_awaited() const { return places_.load() != 0; }
  uint32_t size() const { return places_.load(); }
  /// Any thread: calls the first in line, if there is one.
  void call_next();

  /// A place in line, given up by destruction. One thread.
  class Place {
   public:
    Place(Place&&) noexcept = default;
    Place& operator=(Place&&) = delete;
    ~Place();

    class Turn;
    /// True when it is this place's turn to try, false at `deadline`.
    Turn turn(Time deadline);

   private:
    friend WaitQueue;
    explicit Place(std::shared_ptr<Entry> entry) : entry_(std::move(entry)) {}
    std::shared_ptr<Entry> entry_;  // two owners: the place, and the letter on its way to it
  };

  /// The end of the line; nothing when `capacity` are in it already.
  std::optional<Place> enter(Loop& loop, uint32_t capacity);

 private:
  void back_in_line(const std::shared_ptr<Entry>& entry);

  std::atomic<uint32_t> places_{0};
  std::mutex mutex_;                        // guards what follows
  std::list<std::shared_ptr<Entry>> line_;  // by number
  uint64_t numbers_ = 0;
};

class WaitQueue::Place::Turn : Waiter {
 public:
  Turn(std::shared_ptr<Entry> entry, Time deadline);
  ~Turn();
  bool await_ready() const noexcept;
  void await_suspend(std::coroutine_handle<> awaiter);
  bool await_resume();

 private:
  friend WaitQueue;
  void wake();

  std::shared_ptr<Entry> entry_;
  Time deadline_;
  Alarm<Turn, &Turn::wake> alarm_;
};

}  // namespace weir
