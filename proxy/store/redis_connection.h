#pragma once

#include <functional>
#include <optional>
#include <string>

#include "async/event.h"
#include "async/sleep.h"
#include "async/task.h"
#include "base/output.h"
#include "net/socket.h"
#include "store/redis_due_calls.h"
#include "store/redis_reader.h"
#include "store/redis_reply.h"

namespace weir::store {

/// One connection to a Redis server. The commands of one loop turn leave in one write; replies are read into the arena
/// of the waiting call. A late reply to a destroyed call is dropped. The first unsolicited or malformed bytes close the
/// connection. One thread; pending calls fail with `connection_lost` at the turn after the close.
class RedisConnection {
 public:
  /// Begins to connect; commands may be called at once.
  RedisConnection(Loop& loop, const net::Address& to);
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;
  ~RedisConnection();

  bool is_open() const { return socket_.has_value(); }
  /// Reason of the close: "connection refused", "the server closed the connection".
  const std::string& why_closed() const { return why_closed_; }
  /// True if unsolicited or malformed bytes caused the close; `why_closed` describes the breach.
  bool has_broken_protocol() const { return has_broken_protocol_; }
  /// Waits until closed.
  Event::Awaiter closed() { return closed_.wait(); }
  /// Closes the connection; pending calls fail.
  void close(std::string_view why);

  /// Sends `command` (redis_command) and waits for the answer until `deadline`. The answer is in `arena`; error replies
  /// are replies. The command must live until awaited, the arena until the answer. An answer beyond `bounds` is a
  /// breach of the protocol.
  RedisCall call(Arena& arena, std::string_view command, Time deadline, ReplyBounds bounds = kSmallReply);

  /// Subscribes to all channels matching `pattern`; later calls are refused. False: closed, or replies are due.
  /// `hear(channel, text)` runs in a turn of the loop, outlives the connection and must not destroy the connection.
  using Hear = std::function<void(std::string_view channel, std::string_view text)>;
  bool subscribe(std::string_view pattern, Hear& hear);
  /// Sends PING on a subscribed connection. False: the last pong, or the confirmation of the subscription, is still
  /// due.
  bool ping();

  /// Commands with an answer due, including those of destroyed calls.
  size_t unanswered() const { return due_.size(); }
  /// Bytes of commands that the socket has yet to take.
  size_t unsent() const { return output_.bytes(); }
  static constexpr size_t kMostUnanswered = 10'000;
  static constexpr size_t kMostUnsent = 64 << 20;  // bytes; further commands are refused

 private:
  friend RedisCall;
  struct Flush : EndOfTick {
    RedisConnection* connection;
  };
  struct Subscription {
    std::string pattern;
    Hear& hear;
    bool is_confirmed = false;
    bool owes_pong = false;
    std::optional<Arena> message;  // holds the current message
  };

  bool can_send() const { return socket_ && !subscription_ && due_.size() < kMostUnanswered; }
  void write(std::string_view command);
  void flush();
  Task<> write_all();
  Task<> read_all();
  void read_some();
  void take_replies();
  bool take_reply();
  bool take_message();
  bool understand(const Reply& message);
  void break_off(std::string_view breach);

  Loop& loop_;
  BlockPool blocks_{16 * 1024, 1};
  std::optional<net::Socket> socket_;
  bool is_connected_ = false;
  Output output_{blocks_};
  RedisReader reader_;
  DueCalls due_;
  std::optional<Subscription> subscription_;
  std::string why_closed_;
  bool has_broken_protocol_ = false;
  Event closed_;
  Flush flush_;
  Task<> receiving_;
  Task<> sending_;  // while connecting, and while the socket is not writable
};

/// `co_await connection.call(…)`.
class RedisCall : Waiter {
 public:
  RedisCall(RedisConnection& connection, Arena& arena, std::string_view command, Time deadline, ReplyBounds bounds);
  RedisCall(const RedisCall&) = delete;
  RedisCall& operator=(const RedisCall&) = delete;
  ~RedisCall();

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> awaiter);
  Answer await_resume() const { return answer_; }

 private:
  friend RedisConnection;
  void answered(Answer answer);
  void too_late();

  RedisConnection& connection_;  // may be destroyed once the reply is not due
  Arena& arena_;
  std::string_view command_;
  Time deadline_;
  ReplyBounds bounds_;
  uint64_t ticket_ = 0;
  bool is_due_ = false;
  bool has_been_read_for_ = false;  // since the loop was held up beyond the deadline
  Answer answer_ = std::unexpected(Fault::not_connected);
  Alarm<RedisCall, &RedisCall::too_late> alarm_;
};

}  // namespace weir::store
