#include "async/fd_watch.h"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <cstdio>
#include <fstream>
#include <memory>

#include "async/task.h"
#include "unit/loop_bench.h"
#include "unit/peer.h"

namespace weir {
namespace {

struct Bench : LoopBench {
  explicit Bench(std::pair<int, int> ends = connected_pair()) : fd(ends.first), peer(ends.second) {}
  ~Bench() {
    watch.reset();
    ::close(fd);
  }
  Task<> read_once() {
    co_await watch->readable();
    ++reads;
  }
  Task<> write_once() {
    co_await watch->writable();
    ++writes;
  }
  Task<> read_on() {
    for (;;) {
      co_await watch->readable();
      ++reads;
      char room[64];
      (void)::recv(fd, room, sizeof room, 0);
    }
  }
  /// The epoll events that the loop has asked for on our descriptor; 0 when it isn't registered.
  unsigned interest() {
    std::ifstream lines("/proc/self/fdinfo/" + std::to_string(uv_backend_fd(loop.uv())));
    for (std::string line; std::getline(lines, line);) {
      int found = 0;
      unsigned events = 0;
      if (std::sscanf(line.c_str(), "tfd: %d events: %x", &found, &events) == 2 && found == fd) return events & 0x5;
    }
    return 0;
  }

  int fd;
  Peer peer;
  std::unique_ptr<FdWatch> watch = std::make_unique<FdWatch>(loop, fd);
  int reads = 0;
  int writes = 0;
};

}  // namespace

TEST_CASE("fd watch: who waits for bytes is resumed when some come, once") {
  Bench bench;
  auto reader = bench.read_once();
  reader.start();
  CHECK(bench.watch->is_read());
  bench.settle();
  CHECK(bench.reads == 0);
  bench.peer.send("x");
  bench.settle();
  CHECK(bench.reads == 1);
  CHECK_FALSE(bench.watch->is_read());
}

TEST_CASE("fd watch: the other side's end is readable too") {
  Bench bench;
  auto reader = bench.read_once();
  reader.start();
  bench.peer.close();
  bench.settle();
  CHECK(bench.reads == 1);
}

TEST_CASE("fd watch: a reader and a writer wait side by side") {
  Bench bench;
  auto reader = bench.read_once();
  auto writer = bench.write_once();
  reader.start();
  writer.start();
  bench.settle();
  CHECK(bench.writes == 1);
  CHECK(bench.reads == 0);
  bench.peer.send("x");
  bench.settle();
  CHECK(bench.reads == 1);
}

TEST_CASE("fd watch: interest stays between two waits and goes when an event finds nobody") {
  Bench bench;
  auto reader = bench.read_once();
  reader.start();
  bench.loop.poll();
  const unsigned armed = bench.interest();
  CHECK(armed != 0);
  bench.peer.send("x");
  bench.loop.poll();
  CHECK(bench.reads == 1);
  CHECK(bench.interest() == armed);
  bench.settle();
  CHECK(bench.interest() == 0);
  auto again = bench.read_once();
  again.start();
  bench.settle();
  CHECK(bench.reads == 2);
}

TEST_CASE("fd watch: a stream of bytes finds its reader each time") {
  Bench bench;
  auto reader = bench.read_on();
  reader.start();
  for (int i = 1; i <= 10; ++i) {
    bench.peer.send("x");
    bench.settle();
    CHECK(bench.reads == i);
  }
}

TEST_CASE("fd watch: released while somebody waits, it never resumes them") {
  Bench bench;
  auto reader = bench.read_once();
  reader.start();
  bench.watch->release();
  bench.peer.send("x");
  bench.settle();
  CHECK(bench.reads == 0);
}

TEST_CASE("fd watch: destroyed between an event and the reader's turn, it does no harm") {
  Bench bench;
  struct Breaker : Ready {
    Bench& bench;
  } breaker{{}, bench};
  breaker.run = [](Ready& self) { static_cast<Breaker&>(self).bench.watch.reset(); };
  auto writer = bench.write_once();
  writer.start();
  bench.loop.wake(breaker);
  bench.settle();
  CHECK(bench.watch == nullptr);
}

TEST_CASE("fd watch: who gives up waiting isn't resumed") {
  Bench bench;
  auto reader = bench.read_once();
  reader.start();
  reader.reset();
  CHECK_FALSE(bench.watch->is_read());
  bench.peer.send("x");
  bench.settle();
  CHECK(bench.reads == 0);
}

TEST_CASE("fd watch: a descriptor that the kernel refuses to watch is never ready, and says why") {
  const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);  // epoll takes no files
  Bench bench({file, connected_pair().first});
  CHECK(bench.watch->error() == EPERM);
  auto reading = bench.read_once();
  auto writing = bench.write_once();
  reading.start();
  writing.start();
  bench.settle();
  CHECK(bench.reads == 0);
  CHECK(bench.writes == 0);
}

}  // namespace weir
