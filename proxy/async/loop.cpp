#include "async/loop.h"

#include <fcntl.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <system_error>

namespace weir {

namespace {

constexpr Duration kTick = std::chrono::milliseconds(4);
constexpr int kRounds = 2;  // of ends of a turn before sockets are looked at again

Loop& loop_of(const uv_handle_t* handle) { return *static_cast<Loop*>(handle->loop->data); }

[[noreturn]] void refuse(int error) {
  throw std::system_error(error, std::generic_category(), "can't make an event loop");
}

/// libuv ends the process when it cannot open its first pipe, so the descriptors are tried out before.
void check_descriptors() {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) refuse(errno);
  const int third = ::fcntl(pipe[0], F_DUPFD_CLOEXEC, 0);
  const int error = errno;
  for (const int fd : pipe) ::close(fd);
  if (third < 0) refuse(error);
  ::close(third);
}

}  // namespace

Loop::Loop(const Clock& clock) : clock_(clock), start_(clock.now()), now_(start_) {
  check_descriptors();
  if (const int error = uv_loop_init(&uv_)) refuse(-error);
  uv_.data = this;
  uv_timer_init(&uv_, &timer_);
  uv_prepare_init(&uv_, &prepare_);
  uv_prepare_start(&prepare_,
                   [](uv_prepare_t* handle) { loop_of(reinterpret_cast<uv_handle_t*>(handle)).finish_tick(); });
  uv_idle_init(&uv_, &restless_);
  // Takes no descriptor: the loop has one for all of its bells.
  uv_async_init(&uv_, &bell_, [](uv_async_t* handle) { loop_of(reinterpret_cast<uv_handle_t*>(handle)).deliver(); });
}

Loop::~Loop() {
  {
    const std::lock_guard lock(letters_mutex_);
    letters_.clear();
  }
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&prepare_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&restless_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&bell_), nullptr);
  poll_handles_.close();
  uv_run(&uv_, UV_RUN_DEFAULT);
  [[maybe_unused]] const int still_open = uv_loop_close(&uv_);
  assert(still_open == 0);
}

void Loop::run() {
  drain();
  uv_run(&uv_, UV_RUN_DEFAULT);
  if (meter_ && meter_->is_running()) meter_->end(clock_.now());  // `stop` ended the turn
}

void Loop::poll() {
  now_is_read_ = false;
  drain();
  finish_tick();
  uv_run(&uv_, UV_RUN_NOWAIT);
}

void Loop::stop() { uv_stop(&uv_); }

void Loop::read_clock() {
  now_ = clock_.now();
  now_is_read_ = true;
}

void Loop::drain() {
  while (Ready* ready = ready_.pop_front()) ready->run(*ready);
}

/// Whoever is woken by the end of a turn may ask for another end. That one isn't to wait for the next event, which may
/// never come.
void Loop::finish_tick() {
  int round = 0;
  do {
    List<EndOfTick> turn;
    turn.splice(end_of_tick_);
    while (EndOfTick* item = turn.pop_front()) item->run(*item);
    drain();
  } while (!end_of_tick_.is_empty() && ++round < kRounds);
  if (end_of_tick_.is_empty()) {
    uv_idle_stop(&restless_);
  } else {
    uv_idle_start(&restless_, [](uv_idle_t*) {});  // the loop doesn't sleep
  }
  if (meter_ && meter_->is_running()) meter_->end(clock_.now());
}

uint64_t Loop::tick_of(Time time) const {
  if (time <= start_) return 0;
  return static_cast<uint64_t>((time - start_ + kTick - Duration(1)) / kTick);  // rounded up: never early
}

void Loop::start_timer_at(TimerNode& timer, Time when) {
  timer.unlink();
  wheel_.insert(timer, tick_of(when));
  if (timer.tick < armed_) arm();
}

void Loop::arm() {
  const auto next = wheel_.next();
  if (!next) {
    armed_ = UINT64_MAX;
    uv_timer_stop(&timer_);
    return;
  }
  if (*next == armed_) return;
  armed_ = *next;
  const Duration wait = start_ + armed_ * kTick - now();
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
  uv_update_time(&uv_);
  uv_timer_start(
      &timer_, [](uv_timer_t* handle) { loop_of(reinterpret_cast<uv_handle_t*>(handle)).fire_timers(); },
      ms > 0 ? static_cast<uint64_t>(ms) : 0, 0);
}

void Loop::fire_timers() {
  const Dispatch dispatch(*this);
  armed_ = UINT64_MAX;
  // A tick has passed when its beginning has: rounding down here and up in tick_of is never early.
  const auto passed = static_cast<uint64_t>((now() - start_) / kTick);
  wheel_.advance(passed, ready_);
  arm();
}

void Loop::post(std::move_only_function<void()> letter) {
  const std::lock_guard lock(letters_mutex_);
  letters_.push_back(std::move(letter));
  uv_async_send(&bell_);
}

void Loop::deliver() {
  const Dispatch dispatch(*this);
  std::vector<std::move_only_function<void()>> letters;
  {
    const std::lock_guard lock(letters_mutex_);
    letters.swap(letters_);
  }
  for (auto& letter : letters) letter();
}

}  // namespace weir
