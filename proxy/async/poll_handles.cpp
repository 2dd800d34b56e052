#include "async/poll_handles.h"

#include <atomic>
#include <fstream>
#include <memory>
#include <utility>

namespace weir {

namespace {

constexpr int kNumbers = 4096;  // handles are kept for descriptors below it: at most 0.7 MB for each loop

std::atomic<size_t> watched{0};  // by all loops

void close_handle(uv_poll_t* handle) {
  uv_close(reinterpret_cast<uv_handle_t*>(handle),
           [](uv_handle_t* closed) { delete reinterpret_cast<uv_poll_t*>(closed); });
}

}  // namespace

size_t PollHandles::half_of_what_the_kernel_allows() {
  static const size_t half = [] {
    size_t allowed = 0;
    std::ifstream("/proc/sys/fs/epoll/max_user_watches") >> allowed;
    return allowed / 2;
  }();
  return half;
}

std::expected<uv_poll_t*, int> PollHandles::take(int fd) {
  if (uv_poll_t* const kept = take_kept(fd)) return kept;
  auto handle = std::make_unique<uv_poll_t>();
  if (const int error = uv_poll_init(&loop_, handle.get(), fd)) return std::unexpected(-error);
  watched.fetch_add(1, std::memory_order_relaxed);
  return handle.release();
}

uv_poll_t* PollHandles::take_kept(int fd) {
  if (static_cast<size_t>(fd) >= kept_.size() || !kept_[fd]) return nullptr;
  uv_poll_t* const handle = std::exchange(kept_[fd], nullptr);
  if (watched.fetch_add(1, std::memory_order_relaxed) < most_) return handle;
  watched.fetch_sub(1, std::memory_order_relaxed);
  close_handle(handle);
  return nullptr;
}

void PollHandles::give_back(uv_poll_t* handle, int fd) {
  watched.fetch_sub(1, std::memory_order_relaxed);
  if (fd >= kNumbers) return close_handle(handle);
  uv_poll_stop(handle);
  if (static_cast<size_t>(fd) >= kept_.size()) kept_.resize(fd + 1);
  kept_[fd] = handle;
}

void PollHandles::close() {
  for (uv_poll_t* const handle : kept_) {
    if (handle) close_handle(handle);
  }
  kept_.clear();
}

}  // namespace weir
