#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "store/memory_store.h"
#include "unit/store/redis_bench.h"

namespace weir::store {

struct MemoryInHand {
  static constexpr const char* kName = "memory";
  ManualClock clock;
  MemoryStore store{clock};

  void pass(Duration time) { clock.advance(time); }
  /// This one answers at once.
  template <class T>
  T finish(Task<T> call) {
    REQUIRE(call.start());
    return call.take();
  }
};

struct RedisInHand {
  static constexpr const char* kName = "redis";
  static RedisServer& server() {
    static RedisServer server;
    return server;
  }
  RedisWorker worker{RedisWorker::settings(server().address())};
  RedisStore& store = *worker.store;

  RedisInHand() { server().say("FLUSHALL"); }
  void pass(Duration time) { server().pass(time); }
  template <class T>
  T finish(Task<T> call) {
    return worker.finish(std::move(call));
  }
};

/// A store in the test's hand: time passes when `pass` is told to. Another implementation is one more of the above, and
/// a word in STORES.
template <class Implementation>
struct StoreBench : Implementation {
  using Implementation::finish;
  using Implementation::store;
  BlockPool blocks{8 * 1024};
  Arena arena{blocks};

  /// The call's value.
  template <class T>
  T wait(Task<Result<T>> call) {
    auto result = finish(std::move(call));
    REQUIRE(result.has_value());
    if constexpr (!std::is_void_v<T>) return *result;
  }
  Caller caller() { return {arena}; }

  Quota take(const Limit& limit, std::string_view key, uint64_t cost = 1) {
    const Take one[] = {{limit, key, cost}};
    return wait(store.take(caller(), one)).quotas[0];
  }
  /// How many of `tries` were allowed.
  int admitted(const Limit& limit, std::string_view key, int tries) {
    int count = 0;
    for (int i = 0; i < tries; ++i) count += take(limit, key).allowed;
    return count;
  }
  Claim claim(std::string_view owner, ClaimTerms::Lapsed lapsed = ClaimTerms::Lapsed::tell,
              std::string_view fingerprint = "fp") {
    using namespace std::chrono_literals;
    return wait(store.claim(caller(), "key", {owner, fingerprint, 10s, 60s, lapsed}));
  }
  std::string get(std::string_view key, size_t most = 1000) {
    return std::string(wait(store.get(caller(), key, most)).value_or("(none)"));
  }
  std::string read(std::string_view log, std::string_view after = "", size_t count = 100) {
    std::string values;
    for (const auto& entry : wait(store.read(caller(), log, after, count))) values += std::string(entry.value) + " ";
    return values;
  }
};

using MemoryBench = StoreBench<MemoryInHand>;
using RedisBench = StoreBench<RedisInHand>;
#define STORES MemoryBench, RedisBench

}  // namespace weir::store
