#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "net/address.h"
#include "store/redis_address.h"

namespace weir::store {

/// A free TCP port of this machine.
inline uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

/// A real redis-server, for as long as this lives, on a unix socket; `tcp` gives it a port as well. Its wall clock
/// stands still but for `pass`, or is real.
class RedisServer {
 public:
  enum class Tcp : bool { no, yes };
  enum class Clock : bool { in_hand, real };
  /// One that watches a master, is quick to judge, and decides alone.
  struct Sentinel {
    std::string master;
    uint16_t port;
  };
  using Words = std::vector<std::string>;

  explicit RedisServer(Words options = {}, Tcp tcp = Tcp::no, Clock clock = Clock::in_hand)
      : port_(tcp == Tcp::yes ? free_port() : 0), has_real_clock_(clock == Clock::real) {
    make_folder();
    words_ = {"redis-server", "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"};
    words_.insert(words_.end(), options.begin(), options.end());
    start();
  }
  explicit RedisServer(const Sentinel& sentinel) : port_(free_port()), has_real_clock_(true) {
    make_folder();
    const auto file = folder_ + "/sentinel.conf";
    std::ofstream(file) << "sentinel monitor " << sentinel.master << " 127.0.0.1 " << sentinel.port << " 1\n"
                        << "sentinel down-after-milliseconds " << sentinel.master << " 500\n"
                        << "sentinel failover-timeout " << sentinel.master << " 2000\n";
    words_ = {"redis-server", file, "--sentinel"};
    start();
  }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;
  ~RedisServer() {
    kill();
    ::munmap(clock_, sizeof *clock_);
    std::filesystem::remove_all(folder_);
  }

  void start() {
    std::filesystem::remove(folder_ + "/redis.sock");
    auto words = words_;
    words.insert(words.end(), {"--port", std::to_string(port_), "--bind", "127.0.0.1", "--unixsocket",
                               folder_ + "/redis.sock", "--dir", folder_, "--logfile", folder_ + "/log"});
    pid_ = launch(words, has_real_clock_ ? "" : folder_ + "/clock");
    await_socket();
  }
  static pid_t launch(const Words& words, const std::string& clock) {
    std::vector<char*> argv;
    for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid > 0) return pid;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::setenv("LD_PRELOAD", WEIR_REDIS_CLOCK, 1);
    if (!clock.empty()) ::setenv("WEIR_CLOCK", clock.c_str(), 1);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  void stop_turning() { ::kill(pid_, SIGSTOP); }
  void turn_again() { ::kill(pid_, SIGCONT); }

  void pass(std::chrono::nanoseconds time) { *clock_ += std::chrono::ceil<std::chrono::microseconds>(time).count(); }

  /// Says a line to it, and returns what it answers, raw: "+OK\r\n".
  std::string say(const std::string& line) const {
    const int fd = connect();
    REQUIRE(fd >= 0);
    const auto sent = line + "\r\n";
    REQUIRE(::send(fd, sent.data(), sent.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(sent.size()));
    char answer[65536];
    const ssize_t count = ::recv(fd, answer, sizeof answer, 0);
    ::close(fd);
    return {answer, static_cast<size_t>(count > 0 ? count : 0)};
  }
  /// By its unix socket.
  RedisAddress address() const {
    RedisAddress address;
    address.path = folder_ + "/redis.sock";
    return address;
  }
  uint16_t port() const { return port_; }
  RedisAddress tcp_address() const {
    RedisAddress address;
    address.host = "127.0.0.1";
    address.port = port_;
    return address;
  }

 private:
  void make_folder() {
    char name[] = "/tmp/weir-redis-XXXXXX";
    REQUIRE(::mkdtemp(name));
    folder_ = name;
    const int fd = ::open((folder_ + "/clock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(::ftruncate(fd, sizeof *clock_) == 0);
    clock_ =
        static_cast<std::atomic<int64_t>*>(::mmap(nullptr, sizeof *clock_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    ::close(fd);
    *clock_ = 1'784'111'777'123'456;
  }
  int connect() const {
    const auto to = net::Address::unix_path(address().path);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(fd, to.get(), to.size()) == 0) return fd;
    ::close(fd);
    return -1;
  }
  /// Another process begins in its own time.
  void await_socket() const {
    for (int turn = 0; turn < 5000; ++turn) {
      if (const int fd = connect(); fd >= 0) {
        ::close(fd);
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    FAIL("redis-server doesn't come up");
  }

  Words words_;  // without where it listens and works
  uint16_t port_;
  bool has_real_clock_;
  std::string folder_;
  std::atomic<int64_t>* clock_ = nullptr;
  pid_t pid_ = 0;
};

}  // namespace weir::store
