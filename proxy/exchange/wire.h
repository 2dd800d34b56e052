#pragma once

#include <memory>

#include "async/event.h"
#include "async/loop.h"
#include "exchange/body.h"
#include "http/codec.h"
#include "net/socket.h"

namespace weir {

class Backlog;

/// A connection's way out: what its codec says, to its socket, in few writes. The one stream of an HTTP/1 connection
/// writes at once; where many streams share a connection, what all of them said in one turn of the loop leaves
/// together, at its end. One thread.
class Wire {
 public:
  /// What it is called on this side when the socket fails, and when the peer takes nothing for too long.
  struct Errors {
    Error broken;
    Error stalled;
  };

  /// All that it refers to outlives it.
  Wire(Loop& loop, net::Socket& socket, BlockPool& blocks, const Errors& errors);
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire();

  /// Whose bytes they are; again when another protocol turns out to be spoken.
  void use(http::Codec& codec);
  http::Codec& codec() const { return *codec_; }
  net::Socket& socket() const { return socket_; }
  Loop& loop() const { return loop_; }
  Output& output() { return output_; }
  const Output& output() const { return output_; }

  /// Writes what the socket takes now. True when that is all.
  Result<bool> write();
  /// The same for the one stream of an HTTP/1 connection, where it mostly makes `flush` needless: then true.
  bool is_flushed_at_once() { return !shared_ && write().value_or(false); }
  /// The codec has something to say that nobody flushes.
  void send_soon();
  bool has_unsent() const { return shared_ || !output_.is_empty(); }
  /// The socket took less than it was given.
  bool is_backed_up() const { return !is_broken_ && (!output_.is_empty() || codec_->has_more()); }
  /// Grows with each byte that the peer acknowledges. One system call.
  int64_t delivered() const;
  /// A multiplexed connection: until something has left, or nothing will any more.
  Signal& progress();
  bool is_broken() const { return is_broken_; }
  /// A multiplexed connection: when the peer will have acknowledged nothing for `patience` while bytes wait for its
  /// socket. Max: nothing waits.
  Time stalls_at(Duration patience) const;
  /// Whether that has come. One system call, if it may have.
  bool has_stalled(Duration patience);
  /// A multiplexed connection's; null otherwise.
  Backlog* backlog() const;
  /// The bytes that all streams of a multiplexed connection share are used up.
  bool is_crowded() const;

  /// Waits for room: until the codec holds no byte of `stream` back and the output is below 64 KiB. However long that
  /// takes, as long as the peer acknowledges something within `patience`. Nothing that the peer sends counts. A stream
  /// that waits for its turn behind others is no stalled one. Frames from `body`'s arena.
  Task<Result<>> flush(const Body& body, http::StreamId stream, Duration patience);
  /// Waits until the last byte of `stream`'s message, its end included, has left the output.
  Task<Result<>> finish(const Body& body, http::StreamId stream, Duration patience);
  /// Waits until the output is empty. Frames from the heap.
  Task<Result<>> drain(Duration patience);
  /// The same for what the kernel holds, behind what waits in the output.
  Task<Result<>> send_spliced(const Body& body, http::StreamId stream, net::SplicePipe& pipe, Duration patience);

 private:
  struct Shared;  // what only a multiplexed connection needs
  class Progress;

  Task<Result<>> flush_alone(const Body& body, Duration patience);
  Task<Result<>> flush_shared(const Body& body, http::StreamId stream, Duration patience);
  Task<Result<>> finish_shared(const Body& body, http::StreamId stream, Duration patience);
  Task<Result<>> wait_writable(const Body& body, Duration patience);
  bool is_blocked() const;
  void write_shared();
  Task<> write_on();

  Loop& loop_;
  net::Socket& socket_;
  Output output_;
  http::Codec* codec_ = nullptr;
  const Errors& errors_;
  bool is_broken_ = false;
  std::unique_ptr<Shared> shared_;
};

/// How long the sender of a body was waited for, while all that had come of it was out.
class BodyWaits {
 public:
  void begin(Time now) { since_ = now; }
  void end(Time now) {
    total_ += now - since_;
    since_ = Time::max();
    last_ = now;
  }
  Duration total(Time now) const { return since_ == Time::max() ? total_ : total_ + (now - since_); }
  /// When the last wait was over; min = there was none.
  Time last() const { return last_; }

 private:
  Duration total_{};
  Time since_ = Time::max();  // max = nothing is waited for
  Time last_ = Time::min();
};

/// Reads `body` to its end and sends it as `stream`'s, in as few writes as its arrival allows: what is at hand leaves
/// together, the head that waits in the output too. Counts the bytes. An Error is the body's own or the wire's.
Task<Result<>> send_body(Body& body, Wire& wire, http::StreamId stream, Duration patience, uint64_t& bytes,
                         BodyWaits* waits = nullptr);

}  // namespace weir
