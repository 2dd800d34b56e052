#pragma once

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace weir {

/// The other end of a connection, in the test's hand. Never blocks.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  Peer(Peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)), has_ended_(other.has_ended_) {}
  Peer& operator=(Peer&&) = delete;
  ~Peer() { close(); }

  void send(std::string_view bytes) {
    REQUIRE(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(bytes.size()));
  }
  /// Sends as much as is taken now; how much that was.
  size_t push(std::string_view bytes) {
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return count > 0 ? static_cast<size_t>(count) : 0;
  }
  /// One read's worth: one record of a pair of SOCK_SEQPACKET.
  std::string receive() {
    std::array<char, 64 * 1024> room;
    const ssize_t count = ::recv(fd_, room.data(), room.size(), MSG_DONTWAIT);
    if (count == 0 || (count < 0 && errno != EAGAIN)) has_ended_ = true;
    return {room.data(), static_cast<size_t>(count > 0 ? count : 0)};
  }
  /// All that is there now.
  std::string received() {
    std::string all;
    for (std::string piece = receive(); !piece.empty(); piece = receive()) all += piece;
    return all;
  }
  /// The other side has sent FIN or reset the connection, and all before that was received.
  bool has_ended() {
    received();
    return has_ended_;
  }
  void finish() { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  /// Closes so that the other side's next read fails (TCP).
  void reset() {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }

 private:
  int fd_;
  bool has_ended_ = false;
};

/// Two connected descriptors: one for the code under test, one for a Peer.
inline std::pair<int, int> connected_pair(int type = SOCK_STREAM) {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
  return {fds[0], fds[1]};
}

}  // namespace weir
