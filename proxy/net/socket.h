#pragma once

#include <sys/uio.h>

#include <memory>
#include <span>

#include "async/fd_watch.h"
#include "async/task.h"
#include "base/output.h"
#include "base/result.h"
#include "net/address.h"
#include "net/tls_session.h"
#include "net/transfer.h"

namespace weir::net {

/// A connected stream socket: owns its descriptor, non-blocking, read and written by our own recv and writev under
/// readiness; by TLS' calls once it is secure. One thread.
class Socket {
 public:
  /// Takes ownership of a non-blocking descriptor. The connection ends here when the kernel refuses to watch it.
  Socket(Loop& loop, int fd);
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket();

  /// An Error (Side::self) when the kernel refused to watch the descriptor.
  Result<> is_watched() const;
  /// One recv. `ended` is the peer's FIN.
  Transfer receive(std::span<char> into);
  /// What `receive` would report now; plain bytes stay where they are. With TLS, records without data (session tickets)
  /// are processed, and `moved` has taken one byte: the connection can only be closed then.
  Transfer peek();
  /// Writes what it can of `output` and consumes that. `moved` = all of it.
  Transfer send(Output& output);
  /// At once when TLS has bytes inside that the socket doesn't show any more.
  FdWatch::Awaiter readable() {
    if (!tls_ || drops_input_) return watch_.readable();
    if (tls_->read_wants_write()) return watch_.readable_once_writable();
    return tls_->has_unread() ? watch_.at_once() : watch_.readable();
  }
  FdWatch::Awaiter writable() { return watch_.writable(); }
  /// For who doesn't read: until `is_gone` may have changed, or urgent data has come.
  FdWatch::Awaiter hung_up() { return watch_.hung_up(); }
  /// The peer has reset the connection, or closed it altogether. One system call.
  bool is_gone() const;

  /// Sends FIN, after TLS' own end; that end alone where the handshake isn't done.
  void finish_writing();
  /// What comes from here on is received to be dropped: TLS' records as they are, since an answer to them could not be
  /// sent behind FIN. Nothing changes for a handshake that isn't done.
  void drop_input() { drops_input_ = !tls_ || !tls_->is_early(); }
  /// The close that follows resets the connection: the peer must not take it for an orderly end.
  void reset_on_close();
  /// Bytes sent that the peer's kernel has not acknowledged yet. One system call.
  size_t undelivered() const;
  int fd() const { return fd_; }

  /// From here on all goes by TLS; `net::shake_hands` comes first.
  void secure(std::unique_ptr<TlsSession> session) { tls_ = std::move(session); }
  /// Null: plain.
  TlsSession* tls() const { return tls_.get(); }

 private:
  ssize_t write(std::span<iovec> vectors) const;

  int fd_;
  bool has_finished_ = false;  // FIN is sent
  bool drops_input_ = false;   // what is received is nobody's any more
  FdWatch watch_;
  std::unique_ptr<TlsSession> tls_;
};

/// The connection breaks when the peer acknowledges nothing, or keeps its window shut, for so long while there is
/// something to send (TCP_USER_TIMEOUT). Not on unix sockets.
void limit_silence(int fd, Duration longest);
/// SO_KEEPALIVE: a peer that has vanished breaks an idle connection after about two minutes. A listening socket hands
/// the option on to the connections that it accepts. Not on unix sockets.
void keep_alive(int fd);

/// The socket's own end.
Address local_address(int fd);

/// A descriptor whose connection is under way: already connected, or writable once it is settled.
struct Connecting {
  int fd = -1;
  bool is_connected = false;
};
/// Starts a non-blocking connect (TCP_NODELAY, SO_KEEPALIVE). An Error when it fails at once: of Side::self, with
/// no_descriptors, no_ports or no_memory, when this machine lacks what a connection takes.
Result<Connecting> start_connect(const Address& to);
/// After the socket turned writable: did it work out?
Result<> finish_connect(int fd);

}  // namespace weir::net
