#include "async/wait_queue.h"

#include <algorithm>
#include <utility>

namespace weir {

// `places_` counts a place until it is destroyed, called or not. So between a call and the try that answers it
// nobody overtakes. No call is lost: a turn begins by being back in line, and only then tries. Whoever frees
// something before the try is seen by it; whoever frees something after finds the place in line and calls it.

struct WaitQueue::Entry {
  WaitQueue& queue;
  Loop& loop;
  uint64_t number = 0;                                  // in the order of entering
  std::list<std::shared_ptr<Entry>>::iterator place{};  // while in line: whoever leaves isn't searched for
  bool is_in_line = true;  // guarded by the queue's mutex; false: a call is on its way, or has come
  bool is_called = false;  // its own thread's, as is `waiting`
  Place::Turn* waiting = nullptr;
};

std::optional<WaitQueue::Place> WaitQueue::enter(Loop& loop, uint32_t capacity) {
  auto entry = std::make_shared<Entry>(*this, loop);
  const std::lock_guard lock(mutex_);
  if (places_.load() >= capacity) return std::nullopt;
  entry->number = ++numbers_;
  entry->place = line_.insert(line_.end(), entry);
  entry->is_called = places_++ == 0;  // alone: nobody else would call it for what is free already
  return Place(std::move(entry));
}

void WaitQueue::call_next() {
  const std::lock_guard lock(mutex_);
  if (line_.empty()) return;
  auto first = std::move(line_.front());
  line_.pop_front();
  first->is_in_line = false;
  Loop& loop = first->loop;  // lives: its place can't go while we hold the mutex
  loop.post([entry = std::move(first)] {
    entry->is_called = true;
    if (entry->waiting) entry->waiting->wake();
  });
}

/// Where it was: several may have been called.
void WaitQueue::back_in_line(const std::shared_ptr<Entry>& entry) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(entry->is_in_line, true)) return;
  const auto behind = [&](const auto& other) { return other->number > entry->number; };
  entry->place = line_.insert(std::ranges::find_if(line_, behind), entry);
}

WaitQueue::Place::~Place() {
  if (!entry_) return;
  WaitQueue& queue = entry_->queue;
  {
    const std::lock_guard lock(queue.mutex_);
    if (entry_->is_in_line) queue.line_.erase(entry_->place);
    --queue.places_;
  }
  queue.call_next();
}

WaitQueue::Place::Turn WaitQueue::Place::turn(Time deadline) { return {entry_, deadline}; }

WaitQueue::Place::Turn::Turn(std::shared_ptr<Entry> entry, Time deadline)
    : entry_(std::move(entry)), deadline_(deadline), alarm_(entry_->loop, *this) {}

WaitQueue::Place::Turn::~Turn() { entry_->waiting = nullptr; }

bool WaitQueue::Place::Turn::await_ready() const noexcept { return entry_->is_called; }

void WaitQueue::Place::Turn::await_suspend(std::coroutine_handle<> awaiter) {
  coroutine = awaiter;
  entry_->waiting = this;
  if (deadline_ != Time::max()) alarm_.start_at(deadline_);
}

bool WaitQueue::Place::Turn::await_resume() {
  const bool is_called = std::exchange(entry_->is_called, false);
  if (is_called) entry_->queue.back_in_line(entry_);
  return is_called;
}

void WaitQueue::Place::Turn::wake() {
  alarm_.stop();
  entry_->loop.wake(*this);
}

}  // namespace weir
