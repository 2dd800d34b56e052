#include "net/listener.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "net/listening_socket.h"
#include "net/socket.h"
#include "unit/loop_bench.h"
#include "unit/peer.h"

namespace weir::net {
namespace {

Address where(int fd) {
  sockaddr_storage name;
  socklen_t size = sizeof name;
  REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) == 0);
  return {reinterpret_cast<sockaddr*>(&name), size};
}

/// A directory that goes with the test.
struct Directory {
  Directory() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~Directory() { std::filesystem::remove_all(path); }
  Address socket() const { return Address::unix_path(path + "/weir.sock"); }
  std::string path = "/tmp/weir-listener-XXXXXX";
};

struct Guests : Listener::Acceptor {
  void accepted(int fd, const Address& peer) override {
    peers.emplace_back(fd);
    addresses.push_back(peer);
  }
  void accept_failed(int error) override { errors.push_back(error); }
  std::vector<Peer> peers;
  std::vector<Address> addresses;
  std::vector<int> errors;
};

struct Bench : LoopBench {
  explicit Bench(const Address& address = *Address::parse("127.0.0.1:0")) {
    const auto opened = open_listener(address, {});
    REQUIRE_MESSAGE(opened.has_value(), opened.error());
    fd = *opened;
  }
  ~Bench() { ::close(fd); }
  Peer connect() {
    const auto connecting = start_connect(where(fd));
    REQUIRE(connecting.has_value());
    return Peer(connecting->fd);
  }

  int fd;
  Guests guests;
};

}  // namespace

TEST_CASE("listener: hands over each connection with its peer's address") {
  Bench bench;
  Listener listener(bench.loop, bench.fd, bench.guests);
  listener.start();
  auto first = bench.connect();
  auto second = bench.connect();
  REQUIRE(bench.until([&] { return bench.guests.peers.size() == 2; }));
  CHECK(bench.guests.addresses[0].family() == AF_INET);
  first.send("hello");
  CHECK(bench.until([&] { return bench.guests.peers[0].received() == "hello"; }));
}

TEST_CASE("listener: more than one go's worth are all accepted") {
  Bench bench;
  Listener listener(bench.loop, bench.fd, bench.guests);
  listener.start();
  std::vector<Peer> peers;
  for (int i = 0; i < 150; ++i) peers.push_back(bench.connect());
  CHECK(bench.until([&] { return bench.guests.peers.size() == 150; }));
}

TEST_CASE("listener: an accept for which there is no descriptor is told, and made up for once there is one") {
  Bench bench;
  Listener listener(bench.loop, bench.fd, bench.guests);
  listener.start();
  const auto client = bench.connect();
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int next = ::dup(bench.fd);
  ::close(next);
  const rlimit none_left{static_cast<rlim_t>(next), before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none_left);
  const bool was_told = bench.until([&] { return !bench.guests.errors.empty(); });
  ::setrlimit(RLIMIT_NOFILE, &before);
  REQUIRE(was_told);
  CHECK(bench.guests.errors[0] == EMFILE);
  CHECK(bench.guests.peers.empty());
  bench.advance(std::chrono::milliseconds(200));
  CHECK(bench.until([&] { return bench.guests.peers.size() == 1; }));
  CHECK(bench.guests.errors.size() == 1);
}

TEST_CASE("listener: it finishes with what waits in the queue, and listens no more") {
  Bench bench;
  Listener listener(bench.loop, bench.fd, bench.guests);
  listener.start();
  const auto first = bench.connect();
  const auto second = bench.connect();
  listener.finish();
  CHECK(bench.guests.peers.size() == 2);
  int accepts = 1;
  socklen_t size = sizeof accepts;
  REQUIRE(::getsockopt(bench.fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) == 0);
  CHECK(accepts == 0);
}

TEST_CASE("listener: a socket that drops new handshakes still hands over what has begun, and no client is reset") {
  Bench bench;
  Listener listener(bench.loop, bench.fd, bench.guests);
  const auto early = bench.connect();
  drop_new_handshakes(bench.fd);
  listener.start();
  CHECK(bench.until([&] { return bench.guests.peers.size() == 1; }));
  const auto late = start_connect(where(bench.fd));
  REQUIRE(late.has_value());
  const Peer peer(late->fd);
  bench.settle();
  CHECK(bench.guests.peers.size() == 1);
}

TEST_CASE("listener: an address is shared when somebody else listens on it, too") {
  const Bench bench;
  const auto address = where(bench.fd);
  CHECK_FALSE(is_shared(address, {{bench.fd}}));
  const auto second = open_listener(address, {});
  REQUIRE(second.has_value());
  CHECK(is_shared(address, {{bench.fd}}));
  CHECK_FALSE(is_shared(address, {{bench.fd, *second}}));
  ::close(*second);
}

TEST_CASE("listener: destroyed, it accepts no more, and the descriptor stays open") {
  Bench bench;
  {
    Listener listener(bench.loop, bench.fd, bench.guests);
    listener.start();
  }
  const auto peer = bench.connect();
  bench.settle();
  CHECK(bench.guests.peers.empty());
  Listener another(bench.loop, bench.fd, bench.guests);
  another.start();
  CHECK(bench.until([&] { return bench.guests.peers.size() == 1; }));
}

TEST_CASE("listener: several sockets share an address, one for each worker") {
  const Bench bench;
  const auto second = open_listener(where(bench.fd), {});
  REQUIRE(second.has_value());
  CHECK(where(*second) == where(bench.fd));
  ::close(*second);
}

TEST_CASE("listener: an address that somebody else holds is known as taken") {
  const auto fd = open_listener(*Address::parse("127.0.0.1:0"), {.reuse_port = false});
  const auto address = where(*fd);
  CHECK(why_taken(address) == "address already in use");
  CHECK(open_listener(address, {}).error() == "address already in use");
  ::close(*fd);
  CHECK(why_taken(address) == "");
}

TEST_CASE("listener: an address of another machine says so") {
  const auto fd = open_listener(*Address::parse("192.0.2.1:0"), {});
  REQUIRE_FALSE(fd.has_value());
  CHECK(fd.error() == "no interface of this machine has that address");
}

TEST_CASE("listener: a unix socket left over from a crash is replaced") {
  const Directory directory;
  ::close(*open_listener(directory.socket(), {}));
  const auto fd = open_listener(directory.socket(), {});
  REQUIRE(fd.has_value());
  ::close(*fd);
}

TEST_CASE("listener: a unix socket that somebody listens on is not") {
  const Directory directory;
  const Bench bench(directory.socket());
  CHECK(open_listener(directory.socket(), {}).error() == "address already in use");
}

TEST_CASE("listener: a file that is no socket is never removed") {
  const Directory directory;
  const auto path = directory.path + "/weir.sock";
  ::close(::creat(path.c_str(), 0600));
  CHECK_FALSE(open_listener(directory.socket(), {}).has_value());
  CHECK(std::filesystem::exists(path));
}

TEST_CASE("listener: taking over a unix socket, whoever connects from then on comes to us") {
  const Directory directory;
  const Bench old(directory.socket());
  const auto fd = open_listener(directory.socket(), {.take_over = true});
  REQUIRE_MESSAGE(fd.has_value(), fd.error());
  LoopBench ours;
  Guests guests;
  Listener listener(ours.loop, *fd, guests);
  listener.start();
  const auto connecting = start_connect(directory.socket());
  REQUIRE(connecting.has_value());
  const Peer peer(connecting->fd);
  CHECK(ours.until([&] { return guests.peers.size() == 1; }));
  ::close(*fd);
}

}  // namespace weir::net
