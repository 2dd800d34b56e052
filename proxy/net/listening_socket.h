#pragma once

#include <sys/types.h>

#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "net/address.h"
#include "net/socket_file.h"

namespace weir::net {

/// How a listening socket is opened.
struct ListenOptions {
  int backlog = 4096;
  bool reuse_port = true;        // one socket a worker on the same address; unix sockets have one for all
  bool take_over = false;        // of another process: a unix socket is put in the old one's place
  std::optional<uid_t> owner{};  // whose socket it is; Linux shares a port only between sockets of one user
  SocketAccess access{};         // of a unix socket's file
};

/// A non-blocking socket that has its address and does not listen yet: no client reaches the socket, and dropping it
/// leaves no trace.
class BoundSocket {
 public:
  /// Otherwise the reason, for the engineer ("address already in use"). An `owner` other than the caller needs
  /// CAP_SETUID.
  static std::expected<std::unique_ptr<BoundSocket>, std::string> open(const Address& address,
                                                                       const ListenOptions& options);
  BoundSocket(const BoundSocket&) = delete;
  BoundSocket& operator=(const BoundSocket&) = delete;
  ~BoundSocket();

  int fd() const { return fd_; }
  /// Whether `publish` puts the socket in the place of another process's.
  bool takes_over() const { return !target_.empty(); }
  /// Clients may connect from here on; at a path that is taken over, only after `publish`.
  std::expected<void, std::string> listen();
  /// Puts a taken-over unix socket in place and gives the descriptor to the caller.
  std::expected<int, std::string> publish();
  /// After `publish`: where the file is whose place was taken; "" when there was none.
  const std::string& replaced() const { return replaced_; }

 private:
  BoundSocket(int fd, const ListenOptions& options) : fd_(fd), backlog_(options.backlog) {}

  bool take_place();

  int fd_;
  int backlog_;
  std::string path_;    // of the unix socket file
  std::string target_;  // the path to take over; empty: `path_` stays
  std::string replaced_;
};

/// Binds, listens and publishes.
std::expected<int, std::string> open_listener(const Address& address, const ListenOptions& options);

/// The reason why the address is not free; empty when it is. Sockets in `own`, which share the port with `address`, do
/// not count.
std::string why_taken(const Address& address, std::span<const int> own = {});

/// True when a socket that is not in `own` listens on the address as well: the kernel spreads connections over all.
bool is_shared(const Address& address, std::span<const int> own);

/// Makes a listening socket drop every SYN from now on. Handshakes that have begun are completed, and what is in the
/// queue can be accepted. A client whose SYN is dropped sends it again after a second, and then reaches a socket that
/// still listens: so a shared address can be left without a reset. Linux only; errors are ignored.
void drop_new_handshakes(int fd);

/// 0.0.0.0 or [::], with any port.
bool is_wildcard(const Address& address);
/// True when connections to `inner` reach a socket bound to `outer`, unless a socket is bound to `inner` itself.
bool covers(const Address& outer, const Address& inner);
/// True when the kernel lets both be bound only with SO_REUSEPORT.
bool overlap(const Address& one, const Address& other);

}  // namespace weir::net
