#include "net/read_proxy_header.h"

#include <doctest/doctest.h>

#include "unit/loop_bench.h"
#include "unit/peer.h"

namespace weir::net {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kLine = "PROXY TCP4 10.1.2.3 127.0.0.1 4711 8080\r\n";

struct Bench : LoopBench {
  Bench() : Bench(connected_pair()) {}
  explicit Bench(std::pair<int, int> ends) : fd(ends.first), peer(ends.second) {
    task.start();
    settle();
  }
  ~Bench() {
    task.reset();
    watch.release();
    ::close(fd);
  }
  void send(std::string_view bytes) {
    peer.send(bytes);
    settle();
  }
  Result<ProxyHeader> header() {
    REQUIRE(task.is_done());
    return task.take();
  }
  /// What the next reader finds.
  std::string rest() {
    std::array<char, 100> room;
    const ssize_t count = ::recv(fd, room.data(), room.size(), MSG_DONTWAIT);
    return {room.data(), static_cast<size_t>(std::max<ssize_t>(count, 0))};
  }

  int fd;
  Peer peer;
  FdWatch watch{loop, fd};
  Task<Result<ProxyHeader>> task = read_proxy_header(loop, watch, fd, loop.now() + 3s);
};

}  // namespace

TEST_CASE("PROXY header: is read to its last byte, and not one more") {
  Bench bench;
  bench.send(std::string(kLine) + "GET / HTTP/1.1\r\n");
  CHECK(bench.header()->ends->source.text() == "10.1.2.3:4711");
  CHECK(bench.rest() == "GET / HTTP/1.1\r\n");
}

TEST_CASE("PROXY header: comes in pieces of any size") {
  for (const size_t size : {1, 2, 3, 7, 31}) {
    Bench bench;
    for (auto rest = kLine; !rest.empty(); rest.remove_prefix(std::min(size, rest.size()))) {
      CHECK_FALSE(bench.task.is_done());
      bench.send(rest.substr(0, size));
    }
    CHECK(bench.header()->ends->destination.text() == "127.0.0.1:8080");
    CHECK(bench.rest().empty());
  }
}

TEST_CASE("PROXY header: what is none is refused at its first wrong byte") {
  Bench bench;
  bench.send("PROXX");
  CHECK(bench.header().error().code == ErrorCode::bad_request);
}

TEST_CASE("PROXY header: is waited for no longer than its deadline") {
  Bench bench;
  bench.send("PROXY ");
  bench.advance(2900ms);
  CHECK_FALSE(bench.task.is_done());
  bench.advance(200ms);
  CHECK(bench.header().error().code == ErrorCode::request_timeout);
}

TEST_CASE("PROXY header: the connection may end before it") {
  Bench bench;
  bench.send("PROXY ");
  bench.peer.close();
  bench.settle();
  CHECK(bench.header().error().code == ErrorCode::client_gone);
}

}  // namespace weir::net
