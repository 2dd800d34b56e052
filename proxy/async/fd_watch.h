#pragma once

#include <memory>

#include "async/loop.h"

namespace weir {

/// Readiness of one file descriptor, for at most one reader and one writer at a time. Interest is armed when
/// somebody waits and disarmed lazily, when an event finds nobody waiting: a steady stream of requests on one
/// connection costs no epoll_ctl. Doesn't own the descriptor; destroy it before closing that. A descriptor that the
/// kernel refuses to watch (`error`) never turns ready: deadlines end what waits for it. One thread.
class FdWatch {
 public:
  FdWatch(Loop& loop, int fd);
  FdWatch(const FdWatch&) = delete;
  FdWatch& operator=(const FdWatch&) = delete;
  ~FdWatch() { release(); }
  /// Lets go of the descriptor now, so that it may be closed. Whoever waits is never resumed.
  void release();

  class Awaiter : Waiter {
   public:
    Awaiter() : watch_(nullptr), slot_(0), event_(0) {}
    Awaiter(FdWatch& watch, int slot, int event) : watch_(&watch), slot_(slot), event_(event) {}
    ~Awaiter();
    bool await_ready() const noexcept { return !watch_; }
    /// What it waited for has come.
    bool is_notified() const { return !watch_; }
    void await_suspend(std::coroutine_handle<> awaiter);
    void await_resume() const noexcept {}

   private:
    friend FdWatch;
    FdWatch* watch_;
    int slot_;   // whose place it takes: the reader's or the writer's
    int event_;  // what it waits for
  };

  /// Until a read would not block: bytes, FIN or an error are there.
  Awaiter readable() { return {*this, UV_READABLE, UV_READABLE}; }
  /// Until a write would not block, or fails.
  Awaiter writable() { return {*this, UV_WRITABLE, UV_WRITABLE}; }
  /// For a reader that can only go on once something was written (TLS), beside a writer.
  Awaiter readable_once_writable() { return {*this, UV_READABLE, UV_WRITABLE}; }
  /// In the place of a reader, for who doesn't read: until the peer has reset the connection, or both directions have
  /// ended. Urgent data (TCP) wakes it, too.
  Awaiter hung_up() { return {*this, UV_READABLE, UV_PRIORITIZED}; }
  /// No wait at all.
  Awaiter at_once() { return {}; }
  /// The errno with which the kernel refused to watch the descriptor, or 0.
  int error() const { return error_; }
  /// Somebody waits for bytes now.
  bool is_read() const { return reader_ != nullptr; }

 private:
  Awaiter*& slot(int which) { return which == UV_READABLE ? reader_ : writer_; }
  void arm(int events);
  void notify(int events);

  Loop& loop_;
  uv_poll_t* handle_ = nullptr;
  int fd_;
  int armed_ = 0;
  int error_ = 0;
  Awaiter* reader_ = nullptr;
  Awaiter* writer_ = nullptr;
};

}  // namespace weir
