#pragma once

#include "async/loop.h"

namespace weir {

/// A flag that coroutines of one thread wait for. `set` wakes all who wait; whoever comes later passes at once,
/// until `clear`.
class Event {
 public:
  explicit Event(Loop& loop) : loop_(loop) {}

  bool is_set() const { return is_set_; }
  void set() {
    is_set_ = true;
    while (Waiter* waiter = waiters_.pop_front()) loop_.wake(*waiter);
  }
  void clear() { is_set_ = false; }

  class Awaiter : Waiter {
   public:
    explicit Awaiter(Event& event) : event_(event) {}
    bool await_ready() const noexcept { return event_.is_set_; }
    void await_suspend(std::coroutine_handle<> awaiter) {
      coroutine = awaiter;
      event_.waiters_.push_back(*this);
    }
    void await_resume() const noexcept {}

   private:
    Event& event_;
  };
  Awaiter wait() { return Awaiter(*this); }

 private:
  Loop& loop_;
  bool is_set_ = false;
  List<Waiter> waiters_;
};

/// Wakes whoever waits now, and remembers nothing.
class Signal {
 public:
  explicit Signal(Loop& loop) : loop_(loop) {}

  void notify() {
    while (Waiter* waiter = waiters_.pop_front()) loop_.wake(*waiter);
  }
  bool is_awaited() const { return !const_cast<List<Waiter>&>(waiters_).is_empty(); }

  class Awaiter : Waiter {
   public:
    explicit Awaiter(Signal& signal) : signal_(signal) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> awaiter) {
      coroutine = awaiter;
      signal_.waiters_.push_back(*this);
    }
    void await_resume() const noexcept {}

   private:
    Signal& signal_;
  };
  Awaiter wait() { return Awaiter(*this); }

 private:
  Loop& loop_;
  List<Waiter> waiters_;
};

}  // namespace weir
