#include "async/semaphore.h"

namespace weir {

std::optional<Semaphore::Permit> Semaphore::try_acquire() {
  if (queue_.is_awaited()) return std::nullopt;
  return take();
}

Task<Result<Semaphore::Permit>> Semaphore::acquire(Loop& loop, uint32_t queue_size, Time deadline) {
  if (auto permit = try_acquire()) co_return std::move(*permit);
  auto place = queue_.enter(loop, queue_size);
  if (!place) co_return fail(ErrorCode::overflow, Side::self, "too many wait already", RetrySafe::yes);
  while (co_await place->turn(deadline)) {
    if (auto permit = take()) co_return std::move(*permit);
  }
  co_return fail(ErrorCode::queue_timeout, Side::self, "waited too long for a place", RetrySafe::yes);
}

void Semaphore::set_limit(uint32_t limit) {
  limit_ = limit;
  queue_.call_next();
}

std::optional<Semaphore::Permit> Semaphore::take() {
  uint32_t used = in_use_.load();
  do {
    if (used >= limit_.load()) return std::nullopt;
  } while (!in_use_.compare_exchange_weak(used, used + 1));
  return Permit(*this);
}

void Semaphore::release() {
  --in_use_;
  if (queue_.is_awaited()) queue_.call_next();
}

}  // namespace weir
