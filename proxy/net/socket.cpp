#include "net/socket.h"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/errno_name.h"
#include "base/log.h"
#include "base/paced.h"

namespace weir::net {

namespace {

constexpr size_t kVectors = 64;

// Keep-alive probes, in seconds. Linux' own would begin after two hours.
constexpr int kProbeAfter = 60;
constexpr int kProbeEvery = 15;
constexpr int kProbes = 4;

// The kernel's calls as they are. The C library's are points of thread cancellation, which nobody uses here, and pay
// four locked instructions a call for it.
ssize_t receive_bytes(int fd, std::span<char> into, int flags = 0) {
  return ::syscall(SYS_recvfrom, fd, into.data(), into.size(), flags, nullptr, nullptr);
}
ssize_t send_bytes(int fd, const iovec& bytes) {
  return ::syscall(SYS_sendto, fd, bytes.iov_base, bytes.iov_len, MSG_NOSIGNAL, nullptr, 0);
}

Transfer failure() {
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {Transfer::State::blocked};
  return {Transfer::State::failed, 0, errno};
}

Transfer received(ssize_t count) {
  if (count > 0) return {Transfer::State::moved, static_cast<size_t>(count)};
  if (count == 0) return {Transfer::State::ended};
  return failure();
}

void set_tcp(int fd, int option, int value) { ::setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value); }

/// Whether this machine has an address that packets to `to` can come from.
bool has_source_for(const Address& to) {
  const int fd = ::socket(to.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return true;
  const bool has = ::connect(fd, to.get(), to.size()) == 0 || errno != EADDRNOTAVAIL;
  ::close(fd);
  return has;
}

/// Side::self: this machine lacks what a connection takes, and the endpoint had no part in it.
Error connect_error(int error) {
  switch (error) {
    case ECONNREFUSED: return {ErrorCode::connect_refused, Side::upstream, "connection refused", RetrySafe::yes};
    case ETIMEDOUT: return {ErrorCode::connect_timeout, Side::upstream, "connection timed out", RetrySafe::yes};
    case EHOSTUNREACH:
    case ENETUNREACH: return {ErrorCode::connect_refused, Side::upstream, "no way to the host", RetrySafe::yes};
    case ENOENT: return {ErrorCode::connect_refused, Side::upstream, "no such unix socket", RetrySafe::yes};
    case EADDRNOTAVAIL:
      return {ErrorCode::no_ports, Side::self, "no local port is left for a connection to this endpoint",
              RetrySafe::yes};
    case EAGAIN: return {ErrorCode::connect_refused, Side::upstream, "the unix socket's queue is full", RetrySafe::yes};
    case EMFILE:
      return {ErrorCode::no_descriptors, Side::self, "the process has no file descriptor left", RetrySafe::yes};
    case ENFILE:
      return {ErrorCode::no_descriptors, Side::self, "the machine has no file descriptor left", RetrySafe::yes};
    case ENOSPC:  // of epoll: max_user_watches
    case ENOMEM:
    case ENOBUFS:
      return {ErrorCode::no_memory, Side::self, "the kernel has no memory for a connection", RetrySafe::yes};
    default: return {ErrorCode::connect_refused, Side::upstream, "connection failed", RetrySafe::yes};
  }
}

}  // namespace

Socket::Socket(Loop& loop, int fd) : fd_(fd), watch_(loop, fd) {
  if (watch_.error() == 0) return;
  static Paced lines;
  if (const auto turn = lines.turn(loop.now())) {
    log::error("connection_not_watched", {{"error", errno_name(watch_.error())}, {"untold", turn->untold}});
  }
  ::shutdown(fd, SHUT_RDWR);  // the peer knows at once; our side ends by its deadline
}

Socket::~Socket() {
  watch_.release();
  tls_.reset();  // its farewell needs the descriptor
  ::close(fd_);
}

Result<> Socket::is_watched() const {
  if (watch_.error() == 0) return {};
  return fail(ErrorCode::no_memory, Side::self, "the kernel has no memory for a connection", RetrySafe::yes);
}

Transfer Socket::receive(std::span<char> into) {
  if (tls_ && !drops_input_) return tls_->receive(into);
  return received(receive_bytes(fd_, into));
}

Transfer Socket::peek() {
  char byte = 0;
  if (tls_ && tls_->has_unread()) {
    if (const auto inside = tls_->receive({&byte, 1}); inside.state != Transfer::State::blocked) return inside;
  }
  const auto waiting = received(receive_bytes(fd_, {&byte, 1}, MSG_PEEK));
  if (!tls_ || waiting.state != Transfer::State::moved) return waiting;
  return tls_->receive({&byte, 1});
}

Transfer Socket::send(Output& output) {
  if (tls_) return tls_->send(output);
  while (!output.is_empty()) {
    std::array<iovec, kVectors> vectors;
    const size_t wanted = output.bytes();
    const size_t filled = output.gather(vectors);
    const ssize_t count = write(std::span(vectors).first(filled));
    if (count < 0) return failure();
    output.consume(static_cast<size_t>(count));
    if (static_cast<size_t>(count) < wanted && filled < kVectors) return {Transfer::State::blocked};
  }
  return {Transfer::State::moved};
}

/// MSG_NOSIGNAL: a peer that has gone is an error here, not a signal.
ssize_t Socket::write(std::span<iovec> vectors) const {
  if (vectors.size() == 1) return send_bytes(fd_, vectors[0]);
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = vectors.size();
  return ::sendmsg(fd_, &message, MSG_NOSIGNAL);
}

size_t Socket::undelivered() const {
  int bytes = 0;
  return ::ioctl(fd_, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<size_t>(bytes) : 0;
}

/// A connection that both sides have finished is reported as hung up; this one may still be delivering.
bool Socket::is_gone() const {
  pollfd state{.fd = fd_, .events = 0, .revents = 0};
  if (::poll(&state, 1, 0) <= 0) return false;
  return (state.revents & POLLERR) != 0 || ((state.revents & POLLHUP) != 0 && !has_finished_);
}

void Socket::finish_writing() {
  if (tls_) tls_->finish();
  if (tls_ && tls_->is_early()) return;  // its end comes with that of the handshake
  has_finished_ = true;
  ::shutdown(fd_, SHUT_WR);
}

void Socket::reset_on_close() {
  if (tls_) tls_->spoil();
  const linger hard{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

void limit_silence(int fd, Duration longest) {
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(longest).count();
  set_tcp(fd, TCP_USER_TIMEOUT, static_cast<int>(std::clamp<int64_t>(milliseconds, 1, INT32_MAX)));
}

void keep_alive(int fd) {
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  set_tcp(fd, TCP_KEEPIDLE, kProbeAfter);
  set_tcp(fd, TCP_KEEPINTVL, kProbeEvery);
  set_tcp(fd, TCP_KEEPCNT, kProbes);
}

Address local_address(int fd) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0) return {};
  return {reinterpret_cast<const sockaddr*>(&name), size};
}

Result<Connecting> start_connect(const Address& to) {
  const int fd = ::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::unexpected(connect_error(errno));
  if (to.is_ip()) {
    set_tcp(fd, TCP_NODELAY, 1);
    keep_alive(fd);
  }
  if (::connect(fd, to.get(), to.size()) == 0) return Connecting{fd, true};
  if (errno == EINPROGRESS) return Connecting{fd, false};
  int error = errno;
  ::close(fd);
  if (error == EAGAIN && to.is_ip()) error = EADDRNOTAVAIL;
  if (error == EADDRNOTAVAIL && !has_source_for(to)) error = ENETUNREACH;
  return std::unexpected(connect_error(error));
}

Result<> finish_connect(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error) return std::unexpected(connect_error(error));
  return {};
}

}  // namespace weir::net
