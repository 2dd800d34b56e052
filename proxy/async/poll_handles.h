#pragma once

#include <uv.h>

#include <cstddef>
#include <expected>
#include <vector>

namespace weir {

/// libuv's handles for descriptors. To make one takes four system calls (libuv asks epoll whether it accepts the
/// descriptor, and makes it non-blocking). So the handle of a closed descriptor is kept for the next one with the same
/// number, which comes soon: the kernel gives the lowest free number. One thread.
class PollHandles {
 public:
  /// How many descriptors the process may watch with handles that were kept. libuv aborts the process when the kernel
  /// refuses a descriptor (`fs.epoll.max_user_watches`, which all processes of a user share), and a new handle finds
  /// that out before. The default is half of what the kernel allows.
  explicit PollHandles(uv_loop_t& loop, size_t most = half_of_what_the_kernel_allows()) : loop_(loop), most_(most) {}
  PollHandles(const PollHandles&) = delete;
  PollHandles& operator=(const PollHandles&) = delete;

  /// A handle for `fd`, a non-blocking socket, or the errno with which the kernel refused to watch it.
  std::expected<uv_poll_t*, int> take(int fd);
  /// Before `fd` is closed. The handle's callback is not called again.
  void give_back(uv_poll_t* handle, int fd);
  /// Once all are back: frees those that were kept, in a later turn of the loop.
  void close();

 private:
  static size_t half_of_what_the_kernel_allows();
  uv_poll_t* take_kept(int fd);

  uv_loop_t& loop_;
  size_t most_;
  std::vector<uv_poll_t*> kept_;  // by descriptor
};

}  // namespace weir
