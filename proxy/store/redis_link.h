#pragma once

#include <memory>
#include <random>

#include "async/event.h"
#include "base/arena.h"
#include "base/result.h"
#include "net/resolver.h"
#include "store/redis_address.h"
#include "store/redis_connection.h"
#include "store/redis_shared.h"

namespace weir::store {

/// Where a link connects to: asked again before every attempt.
class RedisFinder {
 public:
  virtual ~RedisFinder() = default;
  virtual Task<std::expected<net::Address, Fault>> find() = 0;
};

/// A server given by address, or by name: then there is a resolver, which outlives it.
class NamedServer final : public RedisFinder {
 public:
  NamedServer(RedisAddress server, net::Resolver* resolver) : server_(std::move(server)), resolver_(resolver) {}
  Task<std::expected<net::Address, Fault>> find() override;

 private:
  RedisAddress server_;
  net::Resolver* resolver_;
};

/// Keeps a connection to one server. Reconnects at once after a connection of at least one second, else after a pause
/// with jitter, growing to half a second: at most a few connections a second. Logs in and selects the database before
/// the connection is available. One thread.
class RedisLink {
 public:
  enum class Expect : uint8_t { any, master };
  struct Login {
    std::string user;
    std::string password;
    uint32_t database = 0;
  };
  /// `name` is the server's name in the log; `name` and `shared` outlive the link.
  RedisLink(Loop& loop, RedisShared& shared, const std::string& name, std::unique_ptr<RedisFinder> finder, Login login,
            Expect expect = Expect::any);

  /// Null while there is none; what `ready` waits for, or why not.
  RedisConnection* connection() { return is_ready_ ? connection_.get() : nullptr; }
  /// Until there is a connection, `deadline`, or an attempt that failed.
  Task<std::expected<RedisConnection*, Fault>> ready(Time deadline);
  /// Sends one command, as soon as there is a connection.
  Task<Answer> ask(Arena& arena, std::string_view command, Time deadline, ReplyBounds bounds);
  /// The server isn't what it should be: looks for it again.
  void drop(std::string_view why);
  /// Reason for the end of the last connection; "" = no connection has ended.
  const std::string& why_lost() const { return why_lost_; }

 private:
  Task<> keep_connected();
  void let_go(std::optional<Fault> fault);
  Task<std::optional<Fault>> connect(Time deadline);
  Task<std::optional<Fault>> greet(Arena& arena, Time deadline);
  Duration pause();

  Loop& loop_;
  RedisShared& shared_;
  const std::string& name_;
  std::unique_ptr<RedisFinder> finder_;
  Login login_;
  Expect expect_;
  BlockPool blocks_{4096, 1};
  std::unique_ptr<RedisConnection> connection_;
  bool is_ready_ = false;
  std::string why_lost_;
  std::optional<Fault> fault_;  // of the last attempt; none before the first, and while connected
  unsigned failures_ = 0;       // in a row: failed attempts and connections of less than a second
  Signal changed_;
  std::minstd_rand random_{std::random_device()()};
  Task<> task_;
};

}  // namespace weir::store
