#include "net/listener.h"

#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "async/sleep.h"
#include "net/socket.h"

namespace weir::net {

namespace {

constexpr int kBatch = 64;  // accepted in one go, before other events have their turn
constexpr Duration kPause = std::chrono::milliseconds(100);

bool is_transient(int error) { return error == EINTR || error == ECONNABORTED || error == EPROTO || error == EPERM; }

std::string reason(int error) {
  switch (error) {
    case EADDRINUSE: return "address already in use";
    case EADDRNOTAVAIL: return "no interface of this machine has that address";
    case EACCES: return "permission denied (ports below 1024 need CAP_NET_BIND_SERVICE)";
    default: return std::strerror(error);
  }
}

/// A unix socket file that nobody listens on is left over from a crash and may be replaced.
void remove_stale(const Address& address) {
  const auto* path = reinterpret_cast<const sockaddr_un*>(address.get())->sun_path;
  struct stat info{};
  if (path[0] == '\0' || ::lstat(path, &info) != 0 || !S_ISSOCK(info.st_mode)) return;
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);  // its queue may be full
  if (::connect(probe, address.get(), address.size()) != 0 && errno == ECONNREFUSED) ::unlink(path);
  ::close(probe);
}

std::expected<int, std::string> bind_socket(const Address& address, bool reuse_port) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::unexpected(reason(errno));
  const int on = 1;
  if (address.is_ip()) {
    keep_alive(fd);
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (reuse_port) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (address.family() == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (::bind(fd, address.get(), address.size()) == 0) return fd;
  const int error = errno;
  ::close(fd);
  return std::unexpected(reason(error));
}

/// Listens under another name, then takes the path: whoever connects meets the old socket or the new one.
std::expected<int, std::string> replace_unix(const Address& address, const ListenOptions& options) {
  const std::string path = reinterpret_cast<const sockaddr_un*>(address.get())->sun_path;
  const std::string fresh = path + ".new";
  ::unlink(fresh.c_str());
  const auto fd = open_listener(Address::unix_path(fresh), {.backlog = options.backlog, .access = options.access});
  if (fd && ::rename(fresh.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::close(*fd);
    return std::unexpected(reason(error));
  }
  return fd;
}

}  // namespace

std::expected<int, std::string> open_listener(const Address& address, const ListenOptions& options) {
  if (address.is_unix() && options.take_over) return replace_unix(address, options);
  if (address.is_unix()) remove_stale(address);
  const auto fd = bind_socket(address, options.reuse_port);
  if (!fd) return fd;
  // Before it listens: nobody gets in whom the mode keeps out.
  if (const auto path = file_of(address); !path.empty()) {
    if (const auto set = set_access(path, options.access); !set) {
      ::unlink(path.c_str());
      ::close(*fd);
      return std::unexpected(set.error());
    }
  }
  if (::listen(*fd, options.backlog) == 0) return fd;
  const int error = errno;
  ::close(*fd);
  return std::unexpected(reason(error));
}

std::string why_taken(const Address& address) {
  if (address.is_unix()) {
    remove_stale(address);
    return "";
  }
  const auto fd = bind_socket(address, false);
  if (!fd) return fd.error();
  ::close(*fd);
  return "";
}

Listener::Listener(Loop& loop, int fd, Acceptor& acceptor)
    : loop_(loop), fd_(fd), acceptor_(acceptor), watch_(loop, fd), task_(accept_loop()) {
  task_.start();
}

void Listener::finish() {
  while (accept_one()) {
  }
  ::shutdown(fd_, SHUT_RD);
}

Task<> Listener::accept_loop() {
  for (;;) {
    co_await watch_.readable();
    for (int i = 0; i < kBatch && accept_one(); ++i) {
    }
    if (const int error = std::exchange(last_error_, 0)) {
      acceptor_.accept_failed(error);
      co_await sleep_for(loop_, kPause);
    }
  }
}

bool Listener::accept_one() {
  sockaddr_storage peer;
  socklen_t size = sizeof peer;
  const int fd = ::accept4(fd_, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    if (is_transient(errno)) return true;
    if (errno != EAGAIN && errno != EWOULDBLOCK) last_error_ = errno;
    return false;
  }
  if (peer.ss_family != AF_UNIX) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  acceptor_.accepted(fd, Address(reinterpret_cast<sockaddr*>(&peer), size));
  return true;
}

}  // namespace weir::net
