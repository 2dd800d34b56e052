#include "async/broadcast.h"

#include <cstdint>
#include <utility>

namespace weir {

struct Broadcast::Entry {
  static constexpr size_t kNowhere = SIZE_MAX;

  Loop& loop;
  size_t place = kNowhere;  // in `waiting_`, guarded by the broadcast's mutex: of many who leave, none is searched for
  bool is_told = false;     // its own thread's, as is `news`
  News* news = nullptr;
};

void Broadcast::notify() {
  const std::lock_guard lock(mutex_);
  count_.fetch_add(1, std::memory_order_release);
  for (auto& entry : waiting_) {
    Loop& loop = entry->loop;  // lives: who waits can't leave while we hold the mutex
    entry->place = Entry::kNowhere;
    loop.post([entry = std::move(entry)] {
      entry->is_told = true;
      if (entry->news) entry->news->wake();
    });
  }
  waiting_.clear();
}

std::shared_ptr<Broadcast::Entry> Broadcast::enter(Loop& loop, uint64_t seen) {
  const std::lock_guard lock(mutex_);
  if (count_.load(std::memory_order_relaxed) != seen) return nullptr;
  return waiting_.emplace_back(std::make_shared<Entry>(loop, waiting_.size()));
}

void Broadcast::leave(const Entry& entry) {
  const std::lock_guard lock(mutex_);
  const size_t place = entry.place;
  if (place == Entry::kNowhere) return;
  waiting_.back()->place = place;
  std::swap(waiting_[place], waiting_.back());
  waiting_.pop_back();
}

Broadcast::News::News(Broadcast& broadcast, Loop& loop, uint64_t seen, Time deadline)
    : broadcast_(broadcast),
      loop_(loop),
      deadline_(deadline),
      entry_(broadcast.enter(loop, seen)),
      alarm_(loop, *this) {
  if (entry_) entry_->news = this;
}

Broadcast::News::~News() {
  if (!entry_) return;
  entry_->news = nullptr;
  broadcast_.leave(*entry_);  // even when told: whoever told may still be at our loop's door
}

void Broadcast::News::await_suspend(std::coroutine_handle<> awaiter) {
  coroutine = awaiter;
  if (deadline_ != Time::max()) alarm_.start_at(deadline_);
}

bool Broadcast::News::await_resume() const noexcept { return !entry_ || entry_->is_told; }

void Broadcast::News::wake() {
  alarm_.stop();
  if (coroutine && !is_linked()) loop_.wake(*this);
}

}  // namespace weir
