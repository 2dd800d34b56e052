#include "net/listener.h"

#include <netinet/tcp.h>

#include <cerrno>
#include <utility>

#include "async/sleep.h"
#include "net/socket.h"

namespace weir::net {

namespace {

constexpr int kBatch = 64;  // accepted in one go, before other events have their turn
constexpr Duration kPause = std::chrono::milliseconds(100);

bool is_transient(int error) { return error == EINTR || error == ECONNABORTED || error == EPROTO || error == EPERM; }

}  // namespace

Listener::Listener(Loop& loop, int fd, Acceptor& acceptor)
    : loop_(loop), fd_(fd), acceptor_(acceptor), watch_(loop, fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // what it accepts inherits that; a unix socket refuses
}

void Listener::start() {
  task_ = accept_loop();
  task_.start();
}

void Listener::finish() {
  while (accept_one()) {
  }
  ::shutdown(fd_, SHUT_RD);
}

Task<> Listener::accept_loop() {
  while (!has_ended_) {
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
    if (errno == EINVAL) {  // another worker, which shares the socket, has made an end
      has_ended_ = true;
      return false;
    }
    if (errno != EAGAIN && errno != EWOULDBLOCK) last_error_ = errno;
    return false;
  }
  acceptor_.accepted(fd, Address(reinterpret_cast<sockaddr*>(&peer), size));
  return true;
}

}  // namespace weir::net
