#pragma once

#include <array>
#include <map>
#include <memory>

#include "store/redis_store.h"
#include "unit/store/redis_server.h"

namespace weir::store {

/// Counts in the open.
struct CountingObserver : StoreObserver {
  std::array<std::atomic<int>, 4> outcomes{};
  std::array<std::atomic<int>, kFaults> faults{};
  std::atomic<int> breaches{0};
  void called(Outcome outcome) override { ++outcomes[static_cast<size_t>(outcome)]; }
  void failed(Fault fault) override { ++faults[static_cast<size_t>(fault)]; }
  void protocol_broken() override { ++breaches; }
  int of(Outcome outcome) const { return outcomes[static_cast<size_t>(outcome)]; }
  int of(Fault fault) const { return faults[static_cast<size_t>(fault)]; }
};

/// One worker's loop with its store. Real time passes here: the other side is a real server.
struct RedisWorker {
  SteadyClock clock;
  Loop loop{clock};
  CountingObserver observer;
  std::shared_ptr<RedisShared> shared;
  std::unique_ptr<RedisStore> store;
  BlockPool blocks{8 * 1024};
  Arena arena{blocks};

  explicit RedisWorker(RedisSettings settings)
      : shared(std::make_shared<RedisShared>(std::move(settings), observer)),
        store(std::make_unique<RedisStore>(loop, shared)) {}
  explicit RedisWorker(std::shared_ptr<RedisShared> with)
      : shared(std::move(with)), store(std::make_unique<RedisStore>(loop, shared)) {}
  static RedisSettings settings(RedisAddress server, Duration timeout = std::chrono::seconds(5)) {
    RedisSettings settings;
    settings.servers = {std::move(server)};
    settings.timeout = timeout;
    return settings;
  }

  /// Turns the loop until it is so; 10 s at most.
  template <class Condition>
  bool until(Condition is_so) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!is_so()) {
      if (std::chrono::steady_clock::now() > end) return false;
      loop.poll();
    }
    return true;
  }
  template <class T>
  T finish(Task<T> task) {
    if (!task.start()) REQUIRE(until([&] { return task.is_done(); }));
    return task.take();
  }
  Caller caller() { return {arena}; }
  Result<std::optional<std::string_view>> get(std::string_view key) {
    return finish(store->get(caller(), key, 80 << 20));
  }
  Result<> put(std::string_view key, std::string_view value) {
    return finish(store->put(caller(), key, value, std::chrono::minutes(1)));
  }
};

}  // namespace weir::store
