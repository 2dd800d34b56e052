#pragma once

#include <atomic>
#include <random>
#include <string>
#include <string_view>

#include "base/paced.h"
#include "store/redis_reply.h"
#include "store/redis_settings.h"
#include "store/store_health.h"

namespace weir::store {

/// Who counts what calls came to. Any thread.
class StoreObserver {
 public:
  enum class Outcome : uint8_t {
    ok,
    failed,
    spared,  // not sent: the breaker is open
    full,    // not sent: too many are on their way
  };
  virtual ~StoreObserver() = default;
  virtual void called(Outcome outcome) = 0;
  virtual void failed(Fault fault) = 0;
  /// A connection was closed for unsolicited or malformed bytes.
  virtual void protocol_broken() = 0;
};

/// What all workers of this process know of one Redis. Shared by the snapshots that name it, so that a reload which
/// doesn't change it keeps its health. Any thread.
struct RedisShared {
  /// What may be on its way to the server over one connection, so that an overload is refused here and not waited for.
  struct Backlog {
    size_t calls;
    size_t bytes;  // unsent
  };
  static constexpr Backlog kCalls{10'000, 64 << 20};
  static constexpr Backlog kBulk{256, 4 << 20};

  RedisShared(RedisSettings settings, StoreObserver& observer, Backlog backlog = kCalls,
              StoreHealth::OnChange on_change = StoreHealth::log_change)
      : settings(std::move(settings)), observer(observer), backlog(backlog), health(on_change) {}

  /// Counts and logs a breach of the protocol (RedisConnection::has_broken_protocol).
  void tell_breach(std::string_view server, std::string_view breach, Time now);
  /// Counts and logs a well-formed answer without a meaning.
  void tell_nonsense(std::string_view server, std::string_view command, Time now);
  /// Logs that the server has no room, or little, for new keys.
  static void tell_scarce(std::string_view server);

  const RedisSettings settings;
  StoreObserver& observer;
  const Backlog backlog;
  StoreHealth health;
  std::shared_ptr<RedisShared> bulk;   // of the connections for large values; workers' stores of both keep it
  std::atomic<uint32_t> instances{1};  // processes that share it, as last known
  Paced breaches;                      // log lines
  Paced nonsense;
  const std::string instance = std::to_string(std::random_device()()) + std::to_string(std::random_device()());
};

}  // namespace weir::store
