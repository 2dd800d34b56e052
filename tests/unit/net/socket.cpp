#include "net/socket.h"

#include <doctest/doctest.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include "net/listening_socket.h"
#include "unit/loop_bench.h"
#include "unit/peer.h"

namespace weir::net {
namespace {

using State = Transfer::State;

struct Bench : LoopBench {
  explicit Bench(std::pair<int, int> ends = connected_pair()) : socket(loop, ends.first), peer(ends.second) {}
  std::string receive() {
    std::array<char, 100> room;
    const auto transfer = socket.receive(room);
    state = transfer.state;
    return {room.data(), transfer.bytes};
  }

  BlockPool pool{8 * 1024};
  Output output{pool};
  Socket socket;
  Peer peer;
  State state{};
};

Address where(int fd) {
  sockaddr_storage name;
  socklen_t size = sizeof name;
  REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) == 0);
  return {reinterpret_cast<sockaddr*>(&name), size};
}

}  // namespace

TEST_CASE("socket: receives what is there, else says that it would block") {
  Bench bench;
  bench.receive();
  CHECK(bench.state == State::blocked);
  bench.peer.send("hello");
  CHECK(bench.receive() == "hello");
  CHECK(bench.state == State::moved);
}

TEST_CASE("socket: the peer's FIN is an end, after its last bytes") {
  Bench bench;
  bench.peer.send("bye");
  bench.peer.close();
  CHECK(bench.receive() == "bye");
  bench.receive();
  CHECK(bench.state == State::ended);
}

TEST_CASE("socket: a peek tells bytes, an end and nothing apart, and takes nothing") {
  Bench bench;
  CHECK(bench.socket.peek().state == State::blocked);
  bench.peer.send("bye");
  CHECK(bench.socket.peek().state == State::moved);
  CHECK(bench.receive() == "bye");
  bench.peer.close();
  CHECK(bench.socket.peek().state == State::ended);
}

TEST_CASE("socket: both ends of a connection notice a peer that vanished") {
  LoopBench bench;
  const int listening = *open_listener(*Address::parse("127.0.0.1:0"), {});
  const auto connecting = start_connect(where(listening));
  REQUIRE(connecting.has_value());
  int accepted = -1;
  REQUIRE(bench.until([&] { return (accepted = ::accept4(listening, nullptr, nullptr, SOCK_NONBLOCK)) >= 0; }));
  limit_silence(connecting->fd, std::chrono::seconds(60));
  const auto option = [](int fd, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    REQUIRE(::getsockopt(fd, level, name, &value, &size) == 0);
    return value;
  };
  for (const int fd : {accepted, connecting->fd}) {
    CHECK(option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(option(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 60);
  }
  CHECK(option(connecting->fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 60'000);
  for (const int fd : {listening, accepted, connecting->fd}) ::close(fd);
}

TEST_CASE("socket: sends all of an output, however many pieces it has") {
  Bench bench;
  const std::string piece(3000, 'x');
  for (int i = 0; i < 20; ++i) bench.output.append(Slice::literal(piece));
  CHECK(bench.socket.send(bench.output).state == State::moved);
  CHECK(bench.output.is_empty());
  CHECK(bench.peer.received().size() == 60'000);
}

TEST_CASE("socket: what the peer has no room for stays in the output") {
  Bench bench;
  const std::string huge(4 << 20, 'x');
  bench.output.append(Slice::literal(huge));
  size_t received = 0;
  CHECK(bench.socket.send(bench.output).state == State::blocked);
  CHECK(bench.output.bytes() > 0);
  while (!bench.output.is_empty()) {
    received += bench.peer.received().size();
    bench.socket.send(bench.output);
  }
  received += bench.peer.received().size();
  CHECK(received == huge.size());
}

TEST_CASE("socket: a send to a peer that is gone fails, without a signal") {
  Bench bench;
  bench.peer.close();
  bench.output.append(std::string_view("hello"));
  const auto transfer = bench.socket.send(bench.output);
  CHECK(transfer.state == State::failed);
  CHECK(transfer.error == EPIPE);
}

TEST_CASE("socket: finish_writing is the peer's end, while its own bytes still arrive") {
  Bench bench;
  bench.socket.finish_writing();
  CHECK(bench.peer.has_ended());
  bench.peer.send("still here");
  CHECK(bench.receive() == "still here");
}

TEST_CASE("connect: without a descriptor left the failure is this machine's, and nothing was sent") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 0;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto connecting = start_connect(*Address::parse("127.0.0.1:9"));
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  REQUIRE_FALSE(connecting.has_value());
  CHECK(connecting.error().code == ErrorCode::no_descriptors);
  CHECK(connecting.error().side == Side::self);
  CHECK(connecting.error().retry == RetrySafe::yes);
}

TEST_CASE("connect: to a listening address works, at once or when it turns writable") {
  LoopBench bench;
  const auto fd = open_listener(*Address::parse("127.0.0.1:0"), {});
  REQUIRE(fd.has_value());
  const auto connecting = start_connect(where(*fd));
  REQUIRE(connecting.has_value());
  Socket socket(bench.loop, connecting->fd);
  auto task = [](Socket& socket) -> Task<> { co_await socket.writable(); }(socket);
  task.start();
  CHECK(bench.until([&] { return task.is_done(); }));
  CHECK(finish_connect(socket.fd()).has_value());
  ::close(*fd);
}

TEST_CASE("connect: nobody there is a refusal that may be tried elsewhere") {
  LoopBench bench;
  const auto fd = open_listener(*Address::parse("127.0.0.1:0"), {.reuse_port = false});
  const auto address = where(*fd);
  ::close(*fd);
  const auto connecting = start_connect(address);
  std::optional<Error> error;
  if (connecting) {
    Socket socket(bench.loop, connecting->fd);
    auto task = [](Socket& socket) -> Task<> { co_await socket.writable(); }(socket);
    task.start();
    CHECK(bench.until([&] { return task.is_done(); }));
    error = finish_connect(socket.fd()).error();
  } else {
    error = connecting.error();
  }
  CHECK(error->code == ErrorCode::connect_refused);
  CHECK(error->retry == RetrySafe::yes);
}

TEST_CASE("connect: a unix socket that isn't there fails at once") {
  const auto connecting = start_connect(Address::unix_path("/nowhere/weir.sock"));
  REQUIRE_FALSE(connecting.has_value());
  CHECK(connecting.error().detail == "no such unix socket");
}

}  // namespace weir::net
