#include "runtime/socket_set.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "net/listener.h"

namespace weir::runtime {
namespace {

using net::Address;

Configuration listening(std::vector<std::string> binds, std::string admin = "") {
  Configuration made;
  for (auto& bind : binds) {
    ListenerSettings listener;
    listener.address = *Address::parse(bind);
    listener.name = listener.bind.value = bind;
    made.listeners.push_back(listener);
  }
  if (!admin.empty()) {
    made.admin.emplace();
    made.admin->address = *Address::parse(admin);
    made.admin->bind.value = admin;
  }
  return made;
}

std::multiset<int> descriptors(const std::vector<std::vector<Assignment>>& assignments) {
  std::multiset<int> all;
  for (const auto& worker : assignments) {
    for (const auto& assignment : worker) all.insert(assignment.fd);
  }
  return all;
}

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

/// A socket of somebody else's, and its address.
struct Stranger {
  explicit Stranger(bool reuse_port = false)
      : fd(*net::open_listener(*Address::parse("127.0.0.1:0"), {.reuse_port = reuse_port})) {
    sockaddr_storage name;
    socklen_t size = sizeof name;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size);
    address = Address(reinterpret_cast<sockaddr*>(&name), size).text();
  }
  ~Stranger() { ::close(fd); }
  int fd;
  std::string address;
};

struct Bench {
  explicit Bench(SocketSet::Join join = SocketSet::Join::no) : sockets(join) {}
  bool open(const Configuration& configuration, unsigned workers) {
    return sockets.open(configuration, workers, problems);
  }
  config::Problems problems;
  SocketSet sockets;
};

// Port 0: the kernel gives each socket a port of its own, which serves as well here.
const std::string kAny = "127.0.0.1:0";

}  // namespace

TEST_CASE("socket set: each worker has a socket of its own for each address") {
  Bench bench;
  const auto configuration = listening({kAny, "[::1]:0"});
  REQUIRE_MESSAGE(bench.open(configuration, 2), bench.problems.text());
  const auto assignments = bench.sockets.assign(configuration, 2);
  REQUIRE(assignments.size() == 2);
  CHECK(assignments[0].size() == 2);
  CHECK(assignments[1].size() == 2);
  const auto all = descriptors(assignments);
  CHECK(std::set<int>(all.begin(), all.end()).size() == 4);
  CHECK(assignments[0][0].listener == kAny);
}

TEST_CASE("socket set: with fewer workers, the sockets of those that went go to the others") {
  Bench bench;
  const auto configuration = listening({kAny});
  REQUIRE(bench.open(configuration, 2));
  const auto before = descriptors(bench.sockets.assign(configuration, 2));
  REQUIRE(bench.open(configuration, 1));
  const auto assignments = bench.sockets.assign(configuration, 1);
  REQUIRE(assignments.size() == 1);
  CHECK(descriptors(assignments) == before);
}

TEST_CASE("socket set: with more workers, the new ones get new sockets and the old ones keep theirs") {
  Bench bench;
  const auto configuration = listening({kAny});
  REQUIRE(bench.open(configuration, 1));
  const int first = bench.sockets.assign(configuration, 1)[0][0].fd;
  REQUIRE(bench.open(configuration, 3));
  const auto assignments = bench.sockets.assign(configuration, 3);
  CHECK(assignments[0][0].fd == first);
  CHECK(descriptors(assignments).size() == 3);
}

TEST_CASE("socket set: a unix socket is one for all workers") {
  const std::string path = "unix:/tmp/weir-socket-set-" + std::to_string(::getpid());
  Bench bench;
  const auto configuration = listening({path});
  REQUIRE_MESSAGE(bench.open(configuration, 3), bench.problems.text());
  const auto all = descriptors(bench.sockets.assign(configuration, 3));
  CHECK(all.size() == 3);
  CHECK(std::set<int>(all.begin(), all.end()).size() == 1);
  std::filesystem::remove(path.substr(5));
}

TEST_CASE("socket set: the admin API is the first worker's") {
  Bench bench;
  const auto configuration = listening({kAny}, "[::1]:0");
  REQUIRE(bench.open(configuration, 2));
  const auto assignments = bench.sockets.assign(configuration, 2);
  CHECK(assignments[0].back().is_admin);
  CHECK(assignments[1].size() == 1);
}

TEST_CASE("socket set: an address that somebody else holds is a problem, and nothing has changed") {
  const Stranger stranger;
  Bench bench;
  REQUIRE(bench.open(listening({kAny}), 1));
  CHECK_FALSE(bench.open(listening({kAny, "[::1]:0", stranger.address}), 1));
  CHECK(bench.problems.all().at(0).message == "can't listen on " + stranger.address + ": address already in use");
  CHECK(bench.sockets.assign(listening({kAny}), 1)[0].size() == 1);
  CHECK_THROWS(bench.sockets.assign(listening({"[::1]:0"}), 1));
}

TEST_CASE("socket set: joining, it shares the address of a process that shares it") {
  const Stranger other(true);
  Bench alone;
  CHECK_FALSE(alone.open(listening({other.address}), 1));
  Bench joining(SocketSet::Join::yes);
  CHECK(joining.open(listening({other.address}), 2));
}

TEST_CASE("socket set: what a configuration doesn't name is closed, the rest stays open") {
  Bench bench;
  const auto both = listening({kAny, "[::1]:0"});
  REQUIRE(bench.open(both, 1));
  const auto assignments = bench.sockets.assign(both, 1);
  bench.sockets.keep_only(listening({kAny}));
  CHECK(is_open(assignments[0][0].fd));
  CHECK_FALSE(is_open(assignments[0][1].fd));
}

}  // namespace weir::runtime
