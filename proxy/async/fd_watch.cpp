#include "async/fd_watch.h"

#include <utility>

namespace weir {

FdWatch::FdWatch(Loop& loop, int fd) : loop_(loop), fd_(fd) {
  const auto handle = loop.poll_handles().take(fd);
  if (!handle) {
    error_ = handle.error();
    return;
  }
  handle_ = *handle;
  handle_->data = this;
}

void FdWatch::release() {
  if (reader_) reader_->watch_ = nullptr;
  if (writer_) writer_->watch_ = nullptr;
  reader_ = writer_ = nullptr;
  if (!handle_) return;
  loop_.poll_handles().give_back(std::exchange(handle_, nullptr), fd_);
}

FdWatch::Awaiter::~Awaiter() {
  if (watch_ && watch_->slot(slot_) == this) watch_->slot(slot_) = nullptr;
}

void FdWatch::Awaiter::await_suspend(std::coroutine_handle<> awaiter) {
  coroutine = awaiter;
  watch_->slot(slot_) = this;
  if (!(watch_->armed_ & event_)) watch_->arm(watch_->armed_ | event_);
}

void FdWatch::arm(int events) {
  armed_ = events;
  if (!handle_) return;
  if (events == 0) {
    uv_poll_stop(handle_);
    return;
  }
  uv_poll_start(handle_, events, [](uv_poll_t* handle, int status, int events) {
    auto* const watch = static_cast<FdWatch*>(handle->data);
    const Loop::Dispatch dispatch(watch->loop_);
    if (status < 0) {
      watch->armed_ = 0;  // libuv has stopped the handle: whoever waits next arms it again
      events = UV_READABLE | UV_WRITABLE | UV_PRIORITIZED;
    }
    watch->notify(events);
  });
}

void FdWatch::notify(int events) {
  int unheard = events;
  for (Awaiter** place : {&reader_, &writer_}) {
    if (!*place || !((*place)->event_ & events)) continue;
    Awaiter* const waiter = std::exchange(*place, nullptr);
    unheard &= ~waiter->event_;
    waiter->watch_ = nullptr;  // it may outlive us, on the ready list
    loop_.wake(*waiter);
  }
  // A writer is rare and mostly asks once: its interest goes with it.
  if (events & UV_WRITABLE) unheard |= UV_WRITABLE;
  if (armed_ & unheard) arm(armed_ & ~unheard);
}

}  // namespace weir
