#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "store/memory_store.h"

namespace weir::store {

/// A store in the test's hand: time passes when `pass` is told to. A second implementation is one more of these, and a
/// word in STORES.
struct MemoryBench {
  static constexpr const char* kName = "memory";
  ManualClock clock;
  MemoryStore store{clock};
  BlockPool blocks{8 * 1024};
  Arena arena{blocks};

  void pass(Duration time) { clock.advance(time); }

  /// The call's value. These stores answer at once.
  template <class T>
  T wait(Task<Result<T>> call) {
    REQUIRE(call.start());
    if constexpr (std::is_void_v<T>) {
      REQUIRE(call.take().has_value());
    } else {
      auto result = call.take();
      REQUIRE(result.has_value());
      return *result;
    }
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
  std::string get(std::string_view key) { return std::string(wait(store.get(caller(), key)).value_or("(none)")); }
  std::string read(std::string_view log, std::string_view after = "", size_t count = 100) {
    std::string values;
    for (const auto& entry : wait(store.read(caller(), log, after, count))) values += std::string(entry.value) + " ";
    return values;
  }
};

#define STORES MemoryBench

}  // namespace weir::store
