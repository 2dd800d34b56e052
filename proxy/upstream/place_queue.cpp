#include "upstream/place_queue.h"

#include <algorithm>
#include <utility>

#include "upstream/endpoint.h"

namespace weir::upstream {

// `places_` counts a place until it is destroyed, called or not. No call is lost: a turn begins by being back in line,
// and only then tries. What gets free before the try is seen by it; what gets free after finds the place in line.
//
// A promise (EndpointState::promised) is counted before the place gets free, so that nobody takes it in between; and
// until the request that holds it has tried, or until nobody in line may go there. Calls with a promise are made at
// once, in any number. Calls without one could let the later overtake: they go out in batches, and the next batch only
// when all of the last have found a place.

struct PlaceQueue::Entry {
  PlaceQueue& queue;
  Loop& loop;
  const Wish wish;
  uint64_t number = 0;
  // Guarded by the queue's mutex.
  Line::iterator place{};                   // while in line: whoever leaves isn't searched for
  bool is_in_line = true;                   // false: a call is on its way, or has come
  std::shared_ptr<EndpointState> promised;  // by the call that is on its way
  bool is_swept = false;                    // that call is one of the sweep
  // Its own thread's.
  bool is_called = false;
  std::shared_ptr<EndpointState> holds;  // the promise of this turn
  bool tries_for_sweep = false;
  Turn* waiting = nullptr;
};

bool PlaceQueue::accepts(const Entry& entry, const EndpointState& endpoint) {
  return !entry.wish.but || !entry.wish.but->has_tried(&endpoint);
}

bool PlaceQueue::is_awaited_for(const void* upstream) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::find(groups_, upstream, &Group::upstream) != groups_.end();
}

void PlaceQueue::count(const Wish& wish, int more) {
  if (wish.but) return;
  const auto group = std::ranges::find(groups_, wish.upstream, &Group::upstream);
  if (group == groups_.end()) return groups_.push_back({wish.upstream, 1});
  group->size += static_cast<uint32_t>(more);
  if (group->size == 0) groups_.erase(group);
}

std::optional<PlaceQueue::Place> PlaceQueue::enter(Loop& loop, uint32_t capacity, const Wish& wish) {
  auto entry = std::make_shared<Entry>(*this, loop, wish);
  const std::lock_guard lock(mutex_);
  if (places_.load() >= capacity) return std::nullopt;
  entry->number = ++numbers_;
  // Without its like in line: nobody else would call it for what is free already.
  entry->is_called = std::ranges::find(groups_, wish.upstream, &Group::upstream) == groups_.end();
  entry->place = line_.insert(line_.end(), entry);
  ++places_;
  count(wish, 1);
  return Place(std::move(entry));
}

void PlaceQueue::vacate(const std::shared_ptr<EndpointState>& endpoint) {
  if (!is_awaited()) {
    --endpoint->active;
    if (!is_awaited()) return;  // the usual
    ++endpoint->promised;
  } else {
    ++endpoint->promised;
    --endpoint->active;
  }
  const std::lock_guard lock(mutex_);
  keep_promise(endpoint, 0, nullptr);
}

/// Hands a promise that is counted to the first behind the number `after` that may go there; those of `but_for` have no
/// use for it.
void PlaceQueue::keep_promise(std::shared_ptr<EndpointState> endpoint, uint64_t after, const void* but_for) {
  const auto wants = [&](const Entry& entry) {
    return entry.number > after && entry.wish.upstream != but_for && accepts(entry, *endpoint);
  };
  const auto first = std::ranges::find_if(line_, [&](const auto& entry) { return wants(*entry); });
  const uint64_t number = first == line_.end() ? UINT64_MAX : (*first)->number;
  for (Entry* entry : sweep_.called) {
    const bool is_on_its_way = entry->is_swept && !entry->promised;
    if (!is_on_its_way || entry->number > number || !wants(*entry)) continue;
    entry->promised = std::move(endpoint);
    return;
  }
  if (first == line_.end()) {
    --endpoint->promised;
    return;
  }
  (*first)->promised = std::move(endpoint);
  call(first);
}

void PlaceQueue::call(Line::iterator first) {
  auto entry = std::move(*first);
  line_.erase(first);
  entry->is_in_line = false;
  Loop& loop = entry->loop;  // lives: its place can't go while the mutex is held
  loop.post([entry = std::move(entry)] {
    entry->is_called = true;
    if (entry->waiting) entry->waiting->wake();
  });
}

void PlaceQueue::back_in_line(const std::shared_ptr<Entry>& entry) {
  if (std::exchange(entry->is_in_line, true)) return;
  const auto behind = [&](const auto& other) { return other->number > entry->number; };
  entry->place = line_.insert(std::ranges::find_if(line_, behind), entry);
}

void PlaceQueue::call_all() {
  if (!is_awaited()) return;
  const std::lock_guard lock(mutex_);
  if (sweep_.is_running) sweep_.is_due_again = true;
  else begin_sweep();
}

void PlaceQueue::begin_sweep() {
  sweep_ = {.is_running = true};
  go_on();
}

/// The next batch.
void PlaceQueue::go_on() {
  const auto is_disappointed = [&](const Entry& entry) {
    return std::ranges::find(sweep_.disappointed, entry.wish.upstream) != sweep_.disappointed.end();
  };
  for (auto at = line_.begin(); at != line_.end() && sweep_.called.size() < sweep_.at_once;) {
    const auto next = std::next(at);
    Entry& entry = **at;
    if (entry.number > sweep_.reached && !is_disappointed(entry)) {
      sweep_.reached = entry.number;
      entry.is_swept = true;
      sweep_.called.push_back(&entry);
      call(at);
    }
    at = next;
  }
  if (!sweep_.called.empty()) return;
  if (sweep_.is_due_again) begin_sweep();
  else sweep_ = {};
}

/// One of the batch has tried, or is gone.
void PlaceQueue::swept(Entry& entry, Found found) {
  sweep_.called.remove(&entry);
  if (found == Found::nothing && !entry.wish.but) sweep_.disappointed.push_back(entry.wish.upstream);
  if (!sweep_.called.empty()) return;
  sweep_.at_once *= 2;
  if (std::exchange(sweep_.is_due_again, false)) begin_sweep();
  else go_on();
}

const EndpointState* PlaceQueue::Place::promised() const { return entry_->holds.get(); }

void PlaceQueue::Place::took(const EndpointState& endpoint) {
  if (entry_->holds.get() == &endpoint) --std::exchange(entry_->holds, nullptr)->promised;
}

void PlaceQueue::Place::missed() {
  PlaceQueue& queue = entry_->queue;
  auto promised = std::exchange(entry_->holds, nullptr);
  const bool was_swept = std::exchange(entry_->tries_for_sweep, false);
  if (!promised && !was_swept) return;
  const std::lock_guard lock(queue.mutex_);
  if (promised) queue.keep_promise(std::move(promised), entry_->number, entry_->wish.upstream);
  if (was_swept) queue.swept(*entry_, Found::nothing);
}

/// With a lease, or without. What was promised and is not needed is for the next.
PlaceQueue::Place::~Place() {
  if (!entry_) return;
  PlaceQueue& queue = entry_->queue;
  const std::lock_guard lock(queue.mutex_);
  if (entry_->is_in_line) queue.line_.erase(entry_->place);
  entry_->is_in_line = false;
  --queue.places_;
  queue.count(entry_->wish, -1);
  const bool was_swept =
      std::exchange(entry_->is_swept, false) || entry_->tries_for_sweep;  // takes no promise any more
  if (entry_->holds) queue.keep_promise(std::move(entry_->holds), 0, nullptr);
  if (entry_->promised) queue.keep_promise(std::move(entry_->promised), 0, nullptr);
  if (was_swept) queue.swept(*entry_, Found::place);
}

PlaceQueue::Turn PlaceQueue::Place::turn(Time deadline) { return {entry_, deadline}; }

PlaceQueue::Turn::Turn(std::shared_ptr<Entry> entry, Time deadline)
    : entry_(std::move(entry)), deadline_(deadline), alarm_(entry_->loop, *this) {}

PlaceQueue::Turn::~Turn() { entry_->waiting = nullptr; }

bool PlaceQueue::Turn::await_ready() const noexcept { return entry_->is_called; }

void PlaceQueue::Turn::await_suspend(std::coroutine_handle<> awaiter) {
  coroutine = awaiter;
  entry_->waiting = this;
  if (deadline_ != Time::max()) alarm_.start_at(deadline_);
}

bool PlaceQueue::Turn::await_resume() {
  if (!std::exchange(entry_->is_called, false)) return false;
  PlaceQueue& queue = entry_->queue;
  const std::lock_guard lock(queue.mutex_);
  queue.back_in_line(entry_);
  entry_->holds = std::exchange(entry_->promised, nullptr);
  entry_->tries_for_sweep = std::exchange(entry_->is_swept, false);
  return true;
}

void PlaceQueue::Turn::wake() {
  alarm_.stop();
  entry_->loop.wake(*this);
}

}  // namespace weir::upstream
