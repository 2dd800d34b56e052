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

/// A connection to one server that is made again whenever it ends: at once when it has lasted for a second, else after
/// a pause that grows to half a second, with jitter; so no server causes more than a few connections a second. Logs in
/// and chooses the database before anybody may use it. One thread.
class RedisLink {
 public:
  enum class Expect : uint8_t { any, master };
  struct Login {
    std::string user;
    std::string password;
    uint32_t database = 0;
  };
  /// `name` is the server's in the log; it and `shared` outlive the link.
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
  /// What ended the last connection; "" = none has ended yet.
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
  unsigned failures_ = 0;       // in a row: attempts, and connections that did not last
  Signal changed_;
  std::minstd_rand random_{std::random_device()()};
  Task<> task_;
};

}  // namespace weir::store
