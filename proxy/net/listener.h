#pragma once

#include "async/fd_watch.h"
#include "async/task.h"
#include "net/address.h"
#include "net/socket_file.h"

namespace weir::net {

/// Accepts on one listening descriptor on one worker, from `start` on. Doesn't own the descriptor.
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
  void start();
  /// Accepts all that waits in the queue and listens no more, at once: the kernel resets what waits in the queue of a
  /// socket that stops listening.
  void finish();
  int fd() const { return fd_; }
  /// The errno with which the kernel refused to watch the descriptor, or 0.
  int error() const { return watch_.error(); }

 private:
  Task<> accept_loop();
  /// False when the queue is empty.
  bool accept_one();

  Loop& loop_;
  int fd_;
  int last_error_ = 0;
  bool has_ended_ = false;  // it listens no more
  Acceptor& acceptor_;
  FdWatch watch_;
  Task<> task_;
};

}  // namespace weir::net
