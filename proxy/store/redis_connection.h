#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/event.h"
#include "async/fd_watch.h"
#include "async/sleep.h"
#include "async/task.h"
#include "net/address.h"
#include "store/redis_reply.h"
#include "store/redis_reply_pool.h"

struct redisAsyncContext;

namespace weir::store {

class RedisCall;

/// One connection to a Redis server, from its beginning to its end: hiredis' asynchronous interface over our own
/// readiness. The commands of one loop turn leave in one write, answers are copied into the arena of whoever waits for
/// them. Each command has a slot in here, to which the awaiter only points: when it is destroyed, the late answer is
/// dropped. One thread; its calls end before it or are told `connection_lost` at the next turn.
class RedisConnection {
 public:
  /// Begins to connect; commands may be called at once.
  RedisConnection(Loop& loop, const net::Address& to);
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;
  ~RedisConnection();

  bool is_open() const { return context_ != nullptr; }
  /// What ended it: "Connection refused", "Server closed the connection".
  const std::string& why_closed() const { return why_closed_; }
  /// Until it has ended.
  Event::Awaiter closed() { return closed_.wait(); }
  /// Ends it; whoever waits for an answer is told.
  void close(std::string_view why);

  /// Sends `command` (redis_command) and waits for the answer until `deadline`. The answer is in `arena`; error replies
  /// are replies. The command must live until it is awaited, the arena until the answer.
  RedisCall call(Arena& arena, std::string_view command, Time deadline);

  /// Subscribes to all channels like `pattern`; from then on nothing else may be sent. `hear(channel, text)` is called
  /// in a turn of the loop, and must not destroy the connection, which it outlives.
  using Hear = std::function<void(std::string_view channel, std::string_view text)>;
  bool subscribe(std::string_view pattern, Hear& hear);

  /// Commands whose answer is due, dropped ones too.
  size_t unanswered() const { return unanswered_; }
  static constexpr size_t kMostUnanswered = 10'000;

 private:
  friend RedisCall;
  struct Slot;
  struct Hooks;
  struct Flush : EndOfTick {
    RedisConnection* connection;
  };

  /// Null when the connection takes no more.
  Slot* send(RedisCall& call, std::string_view command);
  void add_slots();
  void want_write();
  void flush();
  Task<> read_all();
  Task<> write_rest();
  bool is_unasked() const;
  void ended();

  Loop& loop_;
  RedisReplyPool replies_;
  redisAsyncContext* context_ = nullptr;
  std::optional<FdWatch> watch_;
  std::string why_closed_;
  Event closed_;
  Flush flush_;
  bool is_subscriber_ = false;
  size_t unanswered_ = 0;
  std::vector<std::unique_ptr<Slot[]>> slots_;  // as many as were ever under way at once
  Slot* free_slots_ = nullptr;
  Task<> reader_;
  Task<> writer_;  // while the socket takes nothing
};

/// `co_await connection.call(…)`.
class RedisCall : Waiter {
 public:
  RedisCall(RedisConnection& connection, Arena& arena, std::string_view command, Time deadline);
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

  RedisConnection& connection_;
  Arena& arena_;
  std::string_view command_;
  Time deadline_;
  RedisConnection::Slot* slot_ = nullptr;
  Answer answer_ = std::unexpected(Fault::not_connected);
  Alarm<RedisCall, &RedisCall::too_late> alarm_;
};

}  // namespace weir::store
