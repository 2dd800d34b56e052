#include "async/offload.h"

#include <array>
#include <atomic>
#include <system_error>
#include <thread>

namespace weir::detail {

namespace {

constexpr size_t kPoolThreads = 4;  // as many as libuv starts at first use

/// libuv ends the process when it cannot start the threads of its pool, so they are tried out before.
bool has_pool() {
  static std::atomic<bool> is_known = false;
  if (is_known.load(std::memory_order_relaxed)) return true;
  std::atomic<bool> may_end = false;
  std::array<std::thread, kPoolThreads> threads;
  bool has_all = true;
  try {
    for (auto& thread : threads) thread = std::thread([&] { may_end.wait(false); });
  } catch (const std::system_error&) {
    has_all = false;
  }
  may_end = true;
  may_end.notify_all();
  for (auto& thread : threads) {
    if (thread.joinable()) thread.join();
  }
  if (has_all) is_known = true;
  return has_all;
}

}  // namespace

void OffloadJob::queue(Loop& loop, std::shared_ptr<OffloadJob> job) {
  OffloadJob& queued = *job;
  queued.self_ = std::move(job);
  queued.request_.data = &queued;
  if (!has_pool()) {
    queued.work();
    return queued.finish(loop);
  }
  uv_queue_work(
      loop.uv(), &queued.request_, [](uv_work_t* request) { static_cast<OffloadJob*>(request->data)->work(); },
      [](uv_work_t* request, int) {
        Loop& loop = *static_cast<Loop*>(request->loop->data);
        const Loop::Dispatch dispatch(loop);
        static_cast<OffloadJob*>(request->data)->finish(loop);
      });
}

void OffloadJob::finish(Loop& loop) {
  if (waiter) loop.wake(*waiter);
  const auto last = std::move(self_);
}

}  // namespace weir::detail
