#include "async/poll_handles.h"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <memory>

#include "async/fd_watch.h"
#include "async/task.h"
#include "unit/loop_bench.h"
#include "unit/peer.h"

namespace weir {
namespace {

struct Bench : LoopBench {
  ~Bench() {
    handles.close();
    settle();
    ::close(one);
    ::close(other);
  }
  /// A handle for `fd` that goes back at once.
  uv_poll_t* use(int fd) {
    const auto handle = handles.take(fd);
    REQUIRE(handle.has_value());
    handles.give_back(*handle, fd);
    return *handle;
  }

  PollHandles handles{*loop.uv(), 1000};
  std::pair<int, int> ends = connected_pair();
  int one = ends.first;
  int other = ends.second;
};

Task<> count_reads(FdWatch& watch, int& reads) {
  co_await watch.readable();
  ++reads;
}

}  // namespace

TEST_CASE("poll handles: the handle of a closed descriptor serves the next one with its number, and no other") {
  Bench bench;
  uv_poll_t* const first = bench.use(bench.one);
  CHECK(bench.use(bench.other) != first);
  CHECK(bench.use(bench.one) == first);
}

TEST_CASE("poll handles: near the kernel's limit each descriptor is tried out first, and a refusal is an error") {
  Bench bench;
  PollHandles few(*bench.loop.uv(), 0);
  const int number = ::dup(bench.one);
  const auto socket = few.take(number);
  REQUIRE(socket.has_value());
  few.give_back(*socket, number);
  const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);  // epoll takes no files
  ::dup2(file, number);
  ::close(file);
  const auto refused = few.take(number);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error() == EPERM);
  ::close(number);
  few.close();
}

TEST_CASE(
    "poll handles: who reads from the next descriptor with a number gets its bytes, not those of the one before") {
  LoopBench bench;
  int reads = 0;
  int number = -1;
  for (int i = 1; i <= 3; ++i) {
    const auto [fd, other_end] = connected_pair();
    if (number < 0) number = fd;
    REQUIRE(fd == number);
    Peer peer(other_end);
    FdWatch watch(bench.loop, fd);
    Task<> reader = count_reads(watch, reads);
    reader.start();
    bench.settle();
    CHECK(reads == i - 1);
    peer.send("x");
    bench.settle();
    CHECK(reads == i);
    peer.send("left unread");
    watch.release();
    ::close(fd);
  }
}

}  // namespace weir
