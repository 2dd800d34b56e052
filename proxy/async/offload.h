#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "async/loop.h"

namespace weir {

namespace detail {

/// A piece of work on its way through libuv's thread pool, shared by who waits for it and, until it is back, its loop.
class OffloadJob {
 public:
  OffloadJob() = default;
  OffloadJob(const OffloadJob&) = delete;
  OffloadJob& operator=(const OffloadJob&) = delete;
  virtual ~OffloadJob() = default;

  /// `waiter` is woken when the work is done.
  static void queue(Loop& loop, std::shared_ptr<OffloadJob> job);

  Waiter* waiter = nullptr;  // null: nobody waits

 private:
  virtual void work() = 0;
  void finish(Loop& loop);

  uv_work_t request_{};
  std::shared_ptr<OffloadJob> self_;  // while it is under way
};

template <class Work>
class OffloadOf final : public OffloadJob {
 public:
  explicit OffloadOf(Work work) : work_(std::move(work)) {}
  std::optional<std::invoke_result_t<Work&>> value;

 private:
  void work() override {
    value.emplace((*work_)());
    work_.reset();  // here, on the pool's thread
  }
  std::optional<Work> work_;
};

}  // namespace detail

/// `co_await offload(loop, work)`: the result of `work`, which runs on a thread of libuv's pool: for calls that may
/// block (files). `work` doesn't throw. What it captures belongs to no loop's thread, and is destroyed on the pool's.
/// An awaiter that is destroyed while it waits stops nothing: the work runs to its end, its result is dropped. Where
/// the system has no more threads the work runs at once, on the loop's own. A few allocations.
template <class Work>
class Offload : Waiter {
 public:
  Offload(Loop& loop, Work work) : loop_(loop), job_(std::make_shared<detail::OffloadOf<Work>>(std::move(work))) {}
  Offload(const Offload&) = delete;
  Offload& operator=(const Offload&) = delete;
  ~Offload() { job_->waiter = nullptr; }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiter) {
    coroutine = awaiter;
    job_->waiter = this;
    detail::OffloadJob::queue(loop_, job_);
  }
  auto await_resume() { return std::move(*job_->value); }

 private:
  Loop& loop_;
  std::shared_ptr<detail::OffloadOf<Work>> job_;
};

template <class Work>
Offload<Work> offload(Loop& loop, Work work) {
  return {loop, std::move(work)};
}

/// The same for work that nobody waits for.
template <class Work>
void offload_unattended(Loop& loop, Work work) {
  auto job = [work = std::move(work)]() mutable {
    work();
    return true;
  };
  detail::OffloadJob::queue(loop, std::make_shared<detail::OffloadOf<decltype(job)>>(std::move(job)));
}

}  // namespace weir
