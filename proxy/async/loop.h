#pragma once

#include <uv.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "async/clock.h"
#include "async/poll_handles.h"
#include "async/ready.h"
#include "async/timer_wheel.h"
#include "async/turn_meter.h"

namespace weir {

/// Runs once at the end of a loop turn (flushes, retirements), when asked to by `Loop::at_end_of_tick`.
struct EndOfTick : Ready {};

/// One thread's event loop: libuv underneath, a ready list for coroutines, a timing wheel over one uv_timer,
/// and a mailbox for other threads. Everything but `post` belongs to the loop's own thread.
class Loop {
 public:
  /// Throws std::system_error when the kernel refuses what a loop needs (descriptors, memory).
  explicit Loop(const Clock& clock);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  /// Until `stop`.
  void run();
  /// Handles what is there now, without waiting.
  void poll();
  void stop();
  /// Every turn from here on is measured; `meter` outlives the loop.
  void measure(TurnMeter& meter) { meter_ = &meter; }

  /// Read once per callback: all that one event causes happens at one time.
  Time now() {
    if (!now_is_read_) read_clock();
    return now_;
  }
  const Clock& clock() const { return clock_; }

  /// Runs `what` soon, after what was woken before it.
  void wake(Ready& what) { ready_.push_back(what); }
  void at_end_of_tick(EndOfTick& what) {
    if (!what.is_linked()) end_of_tick_.push_back(what);
  }
  /// Arms (again). Resolution 4 ms, never early. `timer.run` is called on this loop.
  void start_timer(TimerNode& timer, Duration after) { start_timer_at(timer, now() + after); }
  void start_timer_at(TimerNode& timer, Time when);

  /// Any thread: runs `letter` on this loop's thread. Letters left when the loop is destroyed are dropped.
  void post(std::move_only_function<void()> letter);

  /// Every libuv callback is one of these: forgets the time, and runs what it made ready.
  class Dispatch {
   public:
    explicit Dispatch(Loop& loop) : loop_(loop) {
      loop_.now_is_read_ = false;
      if (loop_.meter_ && !loop_.meter_->is_running()) loop_.meter_->begin(loop_.now());
    }
    Dispatch(const Dispatch&) = delete;
    Dispatch& operator=(const Dispatch&) = delete;
    ~Dispatch() { loop_.drain(); }

   private:
    Loop& loop_;
  };

  /// For tests with a ManualClock: fires what is due now.
  void fire_timers();
  uv_loop_t* uv() { return &uv_; }
  PollHandles& poll_handles() { return poll_handles_; }

 private:
  void drain();
  void finish_tick();
  void read_clock();
  uint64_t tick_of(Time time) const;
  void arm();
  void deliver();

  const Clock& clock_;
  Time start_;
  Time now_;
  bool now_is_read_ = false;
  List<Ready> ready_;
  List<EndOfTick> end_of_tick_;
  TimerWheel wheel_{0};
  uint64_t armed_ = UINT64_MAX;
  TurnMeter* meter_ = nullptr;  // none: nobody measures

  uv_loop_t uv_;
  PollHandles poll_handles_{uv_};
  uv_timer_t timer_;
  uv_prepare_t prepare_;
  uv_idle_t restless_;
  uv_async_t bell_;
  std::mutex letters_mutex_;
  std::vector<std::move_only_function<void()>> letters_;
};

}  // namespace weir
