#pragma once

#include <optional>

#include "async/event.h"
#include "base/output.h"
#include "exchange/body.h"
#include "net/splice_pipe.h"

namespace weir {

class Backlog;

/// Where a codec's events leave a message's body until somebody reads it: pushed by a connection, pulled by a
/// Body. Bounded by the connection, which stops reading its socket while the pipe `is_full`. One thread.
class Pipe {
 public:
  Pipe(Loop& loop, BlockPool& blocks) : queue_(blocks), changed_(loop) {}
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe();

  void push(Slice data);
  void finish(http::Headers* trailers);
  /// What was pushed before is still given out, then this.
  void fail(Error error);

  /// Wakes whoever waits for a change, for something that the pipe itself doesn't know of.
  void touch() { changed_.notify(); }

  /// From here on bytes come through the kernel: whoever fills the pipe fills `splice()`, and then says `touch`.
  void use(net::SplicePipes::Lease splice) { splice_ = std::move(splice); }
  net::SplicePipe* splice() const { return splice_.get(); }

  /// Counts what is in the pipe as read ahead for a client of a multiplexed connection, and is bound by that.
  void limit_by(Backlog* backlog);

  /// Bytes that may be pushed now.
  size_t room() const;
  bool is_full() const { return room() < kLeast; }
  /// What nobody has taken yet.
  size_t bytes() const { return queue_.bytes(); }
  bool is_finished() const { return is_finished_; }
  bool is_settled() const { return is_finished_ || error_; }
  const std::optional<Error>& error() const { return error_; }
  /// `take` has something to give.
  bool has_chunk() const { return !queue_.is_empty() || is_held() || is_settled(); }
  Result<Chunk> take();
  /// Until something is pushed, finished or failed.
  Signal::Awaiter changed() { return changed_.wait(); }

 private:
  bool is_held() const { return splice_ && splice_->held() > 0; }

  static constexpr size_t kEnough = 64 * 1024;
  static constexpr size_t kLeast = 4 * 1024;  // smaller reads cost more than they are worth
  static constexpr size_t kSmall =
      16 * 1024;  // smaller pieces are copied behind the one before: none pins a read block

  Backlog* backlog_ = nullptr;
  Output queue_;
  net::SplicePipes::Lease splice_;  // its bytes come after the queue's
  Signal changed_;
  bool is_finished_ = false;
  http::Headers* trailers_ = nullptr;
  std::optional<Error> error_;
};

}  // namespace weir
