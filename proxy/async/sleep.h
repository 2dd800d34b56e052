#pragma once

#include "async/loop.h"

namespace weir {

/// `co_await sleep_until(loop, when)`: resumed at or after `when` (resolution 4 ms).
class Sleep : TimerNode {
 public:
  Sleep(Loop& loop, Time when) : loop_(loop), when_(when) {
    run = [](Ready& self) { static_cast<Sleep&>(static_cast<TimerNode&>(self)).awaiter_.resume(); };
  }
  bool await_ready() const { return when_ <= loop_.now(); }
  void await_suspend(std::coroutine_handle<> awaiter) {
    awaiter_ = awaiter;
    loop_.start_timer_at(*this, when_);
  }
  void await_resume() const noexcept {}

 private:
  Loop& loop_;
  Time when_;
  std::coroutine_handle<> awaiter_;
};

inline Sleep sleep_until(Loop& loop, Time when) { return {loop, when}; }
inline Sleep sleep_for(Loop& loop, Duration duration) { return {loop, loop.now() + duration}; }

/// Calls a member function of its owner when time is up; the callback form, for deadlines that interrupt
/// something else. Re-armed by `start`, silenced by `stop` or destruction.
template <class Owner, void (Owner::*expired)()>
class Alarm : TimerNode {
 public:
  Alarm(Loop& loop, Owner& owner) : loop_(loop), owner_(owner) {
    run = [](Ready& self) {
      auto& alarm = static_cast<Alarm&>(static_cast<TimerNode&>(self));
      (alarm.owner_.*expired)();
    };
  }
  void start(Duration after) { loop_.start_timer(*this, after); }
  void start_at(Time when) { loop_.start_timer_at(*this, when); }
  void stop() { unlink(); }
  bool is_running() const { return is_linked(); }

 private:
  Loop& loop_;
  Owner& owner_;
};

}  // namespace weir
