#pragma once

#include <sys/uio.h>

#include <span>

#include "async/fd_watch.h"
#include "async/task.h"
#include "base/output.h"
#include "base/result.h"
#include "net/address.h"

namespace weir::net {

/// What one read or write came to.
struct Transfer {
  enum class State : uint8_t { moved, blocked, ended, failed } state;
  size_t bytes = 0;  // with `moved`
  int error = 0;     // errno, with `failed`
};

/// A connected stream socket: owns its descriptor, non-blocking, read and written by our own recv and writev under
/// readiness. One thread.
class Socket {
 public:
  /// Takes ownership of a non-blocking descriptor.
  Socket(Loop& loop, int fd) : fd_(fd), watch_(loop, fd) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket();

  /// One recv. `ended` is the peer's FIN.
  Transfer receive(std::span<char> into);
  /// Writes what it can of `output` and consumes that. `moved` = all of it.
  Transfer send(Output& output);
  FdWatch::Awaiter readable() { return watch_.readable(); }
  FdWatch::Awaiter writable() { return watch_.writable(); }

  /// Sends FIN.
  void finish_writing();
  /// The close that follows resets the connection: the peer must not take it for an orderly end.
  void reset_on_close();
  int fd() const { return fd_; }

 private:
  ssize_t write(std::span<iovec> vectors) const;

  int fd_;
  FdWatch watch_;
};

/// The socket's own end.
Address local_address(int fd);

/// A descriptor whose connection is under way: already connected, or writable once it is settled.
struct Connecting {
  int fd = -1;
  bool is_connected = false;
};
/// Starts a non-blocking connect (TCP_NODELAY). An Error when it fails at once.
Result<Connecting> start_connect(const Address& to);
/// After the socket turned writable: did it work out?
Result<> finish_connect(int fd);

}  // namespace weir::net
