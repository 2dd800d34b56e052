#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "async/task.h"
#include "async/wait_queue.h"
#include "base/result.h"

namespace weir {

/// A count of places that the coroutines of all workers share: max_connections, concurrency_limit. Taking one is
/// one atomic step while there are any; who must wait does so in one bounded line over all workers, first in,
/// first out. Any thread. Lives longer than its permits.
class Semaphore {
 public:
  explicit Semaphore(uint32_t limit) : limit_(limit) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  /// One place, given back by destruction, on whatever thread.
  class Permit {
   public:
    Permit() = default;
    Permit(Permit&& other) noexcept : semaphore_(std::exchange(other.semaphore_, nullptr)) {}
    Permit& operator=(Permit&& other) noexcept {
      std::swap(semaphore_, other.semaphore_);
      return *this;
    }
    ~Permit() {
      if (semaphore_) semaphore_->release();
    }
    explicit operator bool() const { return semaphore_ != nullptr; }

   private:
    friend Semaphore;
    explicit Permit(Semaphore& semaphore) : semaphore_(&semaphore) {}
    Semaphore* semaphore_ = nullptr;
  };

  /// A permit, if there is one and nobody waits for it.
  std::optional<Permit> try_acquire();
  /// Waits on `loop`. overflow when `queue_size` wait already; queue_timeout at `deadline`.
  Task<Result<Permit>> acquire(Loop& loop, uint32_t queue_size, Time deadline);

  /// From now on. Lowered, it takes no permit back.
  void set_limit(uint32_t limit);
  uint32_t limit() const { return limit_.load(std::memory_order_relaxed); }
  uint32_t in_use() const { return in_use_.load(std::memory_order_relaxed); }
  uint32_t waiting() const { return queue_.size(); }

 private:
  std::optional<Permit> take();
  void release();

  std::atomic<uint32_t> limit_;
  std::atomic<uint32_t> in_use_{0};
  WaitQueue queue_;
};

}  // namespace weir
