#pragma once

#include <expected>
#include <string>

#include "async/fd_watch.h"
#include "async/task.h"
#include "net/address.h"
#include "net/socket_file.h"

namespace weir::net {

/// How a listening socket is opened.
struct ListenOptions {
  int backlog = 4096;
  bool reuse_port = true;  // one socket a worker on the same address; unix sockets have one for all
  bool take_over = false;  // of another process: a unix socket is put in the old one's place
  SocketAccess access{};   // of a unix socket's file
};

/// A bound, listening, non-blocking descriptor; else why not, for the engineer ("address already in use").
std::expected<int, std::string> open_listener(const Address& address, const ListenOptions& options);
/// Whether somebody else holds the address: tries to bind it without SO_REUSEPORT. "" when it is free.
std::string why_taken(const Address& address);

/// Accepts on one listening descriptor on one worker. Doesn't own the descriptor.
class Listener {
 public:
  class Acceptor {
   public:
    virtual ~Acceptor() = default;
    /// Takes ownership of the non-blocking descriptor.
    virtual void accepted(int fd, const Address& peer) = 0;
    /// accept failed for want of descriptors or memory; accepting pauses for 100 ms.
    virtual void accept_failed(int error) = 0;
  };

  Listener(Loop& loop, int fd, Acceptor& acceptor);
  /// Accepts all that waits in the queue and listens no more, at once: the kernel resets what waits in the queue of a
  /// socket that stops listening.
  void finish();
  int fd() const { return fd_; }

 private:
  Task<> accept_loop();
  /// False when the queue is empty.
  bool accept_one();

  Loop& loop_;
  int fd_;
  int last_error_ = 0;
  Acceptor& acceptor_;
  FdWatch watch_;
  Task<> task_;
};

}  // namespace weir::net
