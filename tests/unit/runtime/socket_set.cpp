#include "runtime/socket_set.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "net/listening_socket.h"
#include "net/port_holders.h"

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
    auto bound = sockets.bind(configuration, workers, std::nullopt, problems);
    return bound && sockets.take_over(*bound, problems) && sockets.listen(*bound, problems);
  }
  /// What a published configuration leaves open.
  void keep_only(const Configuration& configuration, unsigned workers) {
    const auto all = descriptors(sockets.assign(configuration, workers));
    sockets.keep_only({all.begin(), all.end()});
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
  CHECK(assignments[0].back().is_admin());
  CHECK(assignments[1].size() == 1);
}

TEST_CASE("socket set: an address that somebody else holds is a problem, and nothing has changed") {
  const Stranger stranger;
  Bench bench;
  REQUIRE(bench.open(listening({kAny}), 1));
  CHECK_FALSE(bench.open(listening({kAny, "[::1]:0", stranger.address}), 1));
  CHECK(bench.problems.all().at(0).message == "can't listen on " + stranger.address + ": address already in use");
  CHECK(bench.sockets.assign(listening({kAny}), 1)[0].size() == 1);
  CHECK(bench.sockets.assign(listening({"[::1]:0"}), 1)[0].empty());
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
  bench.keep_only(listening({kAny}), 1);
  CHECK(is_open(assignments[0][0].fd));
  CHECK_FALSE(is_open(assignments[0][1].fd));
}

TEST_CASE("socket set: a socket listens only once it is told to, and leaves no trace when dropped") {
  const std::string address = Stranger().address;
  Bench bench;
  {
    const auto bound = bench.sockets.bind(listening({address}), 2, std::nullopt, bench.problems);
    REQUIRE_MESSAGE(bound.has_value(), bench.problems.text());
    CHECK(bound->sockets.size() == 2);
    CHECK(net::port_holders(*Address::parse(address))->empty());
  }
  CHECK(net::why_taken(*Address::parse(address)) == "");
}

TEST_CASE("socket set: every address of a port takes over the sockets of one of them, and back") {
  const std::string narrow = Stranger().address;
  const std::string wide = "0.0.0.0" + narrow.substr(narrow.rfind(':'));
  Bench bench;
  REQUIRE(bench.open(listening({narrow}), 2));
  const auto narrow_fds = descriptors(bench.sockets.assign(listening({narrow}), 2));

  REQUIRE_MESSAGE(bench.open(listening({wide}), 2), bench.problems.text());
  bench.keep_only(listening({wide}), 2);
  const auto wide_fds = descriptors(bench.sockets.assign(listening({wide}), 2));
  CHECK(wide_fds.size() == 4);
  for (const int fd : narrow_fds) CHECK(wide_fds.contains(fd));

  REQUIRE_MESSAGE(bench.open(listening({narrow}), 2), bench.problems.text());
  bench.keep_only(listening({narrow}), 2);
  CHECK(descriptors(bench.sockets.assign(listening({narrow}), 2)) == narrow_fds);
}

TEST_CASE("socket set: an address of its own port that a stranger shares is still the stranger's") {
  const Stranger stranger(true);
  const auto port = stranger.address.substr(stranger.address.rfind(':'));
  Bench bench;
  REQUIRE_MESSAGE(bench.open(listening({"127.0.0.9" + port}), 1), bench.problems.text());
  CHECK_FALSE(bench.open(listening({"0.0.0.0" + port}), 1));
  CHECK(bench.problems.all().at(0).message == "can't listen on 0.0.0.0" + port + ": address already in use");
}

TEST_CASE("socket set: workers without a socket of their own share one") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: only root opens sockets of another user");
    return;
  }
  const std::string address = Stranger().address;
  const uid_t other = 54321;
  Bench bench;
  auto bound = bench.sockets.bind(listening({address}), 1, other, bench.problems);
  REQUIRE(bound.has_value());
  REQUIRE(bench.sockets.listen(*bound, bench.problems));
  CHECK(net::port_holders(*Address::parse(address))->at(0).owner == other);

  REQUIRE(bench.open(listening({address}), 3));  // as root, whose sockets may not join
  const auto all = descriptors(bench.sockets.assign(listening({address}), 3));
  CHECK(all.size() == 3);
  CHECK(std::set<int>(all.begin(), all.end()).size() == 1);
}

TEST_CASE("socket set: an admin address that was a listener's keeps one socket") {
  const std::string address = Stranger().address;
  Bench bench;
  REQUIRE(bench.open(listening({address}), 3));
  const auto now = listening({kAny}, address);
  REQUIRE(bench.open(now, 3));
  bench.keep_only(now, 3);
  CHECK(net::port_holders(*Address::parse(address))->size() == 1);
}

TEST_CASE("socket set: a path is taken over only in the end") {
  const std::string path = "/tmp/weir-take-over-" + std::to_string(::getpid());
  const int first = *net::open_listener(Address::unix_path(path), {});
  Bench joining(SocketSet::Join::yes);
  {
    const auto bound = joining.sockets.bind(listening({"unix:" + path}), 1, std::nullopt, joining.problems);
    REQUIRE_MESSAGE(bound.has_value(), joining.problems.text());
    REQUIRE(joining.sockets.change_access(listening({"unix:" + path}), joining.problems));
  }
  CHECK_FALSE(std::filesystem::exists(path + ".new"));
  CHECK(net::open_listener(Address::unix_path(path), {}).error() == "address already in use");
  ::close(first);
  std::filesystem::remove(path);
}

TEST_CASE("socket set: a path that was taken over and not settled is given back") {
  const std::string path = "/tmp/weir-give-back-" + std::to_string(::getpid());
  const int first = *net::open_listener(Address::unix_path(path), {});
  struct stat before{}, after{};
  REQUIRE(::lstat(path.c_str(), &before) == 0);
  Bench joining(SocketSet::Join::yes);
  REQUIRE_MESSAGE(joining.open(listening({"unix:" + path}), 1), joining.problems.text());
  joining.sockets.keep_only({});
  REQUIRE(::lstat(path.c_str(), &after) == 0);
  CHECK(after.st_ino == before.st_ino);
  ::close(first);
  std::filesystem::remove(path);
}

TEST_CASE("socket set: mode and owner of a socket file are given back when a later step fails") {
  const std::string path = "/tmp/weir-access-" + std::to_string(::getpid());
  const auto look = [&] {
    struct stat info{};
    REQUIRE(::lstat(path.c_str(), &info) == 0);
    return info;
  };
  auto before = listening({"unix:" + path});
  auto now = before;
  now.listeners[0].access.mode = 0600;
  if (::geteuid() == 0) now.listeners[0].access.owner = 54321;  // the configuration before names no owner
  Bench bench;
  REQUIRE_MESSAGE(bench.open(before, 1), bench.problems.text());
  bench.sockets.settle();
  const auto first = look();

  REQUIRE(bench.sockets.change_access(now, bench.problems));
  CHECK((look().st_mode & 0777) == 0600);
  bench.sockets.give_back();
  CHECK(look().st_mode == first.st_mode);
  CHECK(look().st_uid == first.st_uid);

  REQUIRE(bench.sockets.change_access(now, bench.problems));
  bench.sockets.settle();
  bench.sockets.give_back();
  CHECK((look().st_mode & 0777) == 0600);
}

}  // namespace weir::runtime
