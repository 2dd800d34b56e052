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
  };
  virtual ~StoreObserver() = default;
  virtual void called(Outcome outcome) = 0;
  virtual void failed(Fault fault) = 0;
  /// A server's bytes were no answer: the connection was closed.
  virtual void protocol_broken() = 0;
};

/// What all workers of this process know of one Redis. Shared by the snapshots that name it, so that a reload which
/// doesn't change it keeps its health. Any thread.
struct RedisShared {
  RedisShared(RedisSettings settings, StoreObserver& observer) : settings(std::move(settings)), observer(observer) {}

  /// A server's bytes broke the protocol (RedisConnection::has_broken_protocol): counts it, and logs it.
  void tell_breach(std::string_view server, std::string_view breach, Time now);
  /// A whole answer made no sense: counts it, and logs it.
  void tell_nonsense(std::string_view server, std::string_view command, Time now);

  const RedisSettings settings;
  StoreObserver& observer;
  StoreHealth health;
  std::atomic<uint32_t> instances{1};  // processes that share it, as last known
  Paced breaches;                      // events in the log
  Paced nonsense;
  const std::string instance = std::to_string(std::random_device()()) + std::to_string(std::random_device()());
};

}  // namespace weir::store
