#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <string>

#include "async/clock.h"
#include "base/paced.h"
#include "base/units.h"
#include "store/channels.h"
#include "store/meter.h"
#include "store/owned_table.h"
#include "store/store.h"
#include "store/table.h"

namespace weir::store {

/// The store within this process: the readable specification of what a Store does, and the default. Shared by all
/// workers, thread-safe. Each of its four kinds of state has a bound: past it the quotas (first those of a client
/// network that has brought very many to one limit) and values that were unused for longest are forgotten, a new claim
/// is refused, and a new log is.
class MemoryStore : public Store {
 public:
  struct Bounds {
    Bytes quotas{64 << 20};
    Bytes claims{64 << 20};
    Bytes values{64 << 20};
    size_t logs = 10'000;
  };
  explicit MemoryStore(const Clock& clock) : MemoryStore(clock, Bounds{}) {}
  MemoryStore(const Clock& clock, Bounds bounds);

  Task<Result<Decision>> take(Caller caller, std::span<const Take> quotas) override;
  Task<Result<Claim>> claim(Caller caller, std::string_view key, ClaimTerms terms) override;
  Task<Result<bool>> renew(Caller caller, std::string_view key, std::string_view owner, Duration lease) override;
  Task<Result<bool>> complete(Caller caller, std::string_view key, std::string_view owner, std::string_view result,
                              Duration keep) override;
  Task<Result<bool>> release(Caller caller, std::string_view key, std::string_view owner) override;
  Task<Result<std::optional<std::string_view>>> get(Caller caller, std::string_view key, size_t most) override;
  Task<Result<>> put(Caller caller, std::string_view key, std::string_view value, Duration keep) override;
  Task<Result<bool>> remove(Caller caller, std::string_view key) override;
  Task<Result<std::string_view>> append_all(Caller caller, std::string_view log,
                                            std::span<const std::string_view> values, size_t most) override;
  Task<Result<std::span<const Entry>>> read(Caller caller, std::string_view log, std::string_view after,
                                            size_t count) override;
  Task<Result<>> publish(Caller caller, std::string_view channel, std::string_view text) override;
  Channels& channels() { return channels_; }

  /// From here on the quotas take at most so much.
  void bound_quotas(Bytes most);
  struct Usage {
    size_t quotas = 0;       // that are remembered
    size_t bytes = 0;        // that they take
    uint64_t forgotten = 0;  // of quotas, for want of room, before their time was over
  };
  Usage usage() const;

 private:
  static constexpr size_t kShards = 16;
  struct ClaimState {
    std::string owner;  // "" once it is finished
    std::string fingerprint;
    std::string result;
    Time lease_ends{};
  };
  struct Log {
    uint64_t first = 1;  // the id of entries[0]
    std::deque<std::string> entries;
  };
  struct Shard {
    explicit Shard(const Bounds& bounds)
        : meters(bounds.quotas.count / kShards),
          claims(bounds.claims.count / kShards),
          values(bounds.values.count / kShards) {}
    mutable std::mutex mutex;
    OwnedTable<Meter> meters;
    Table<ClaimState> claims;
    Table<std::string> values;
  };

  class ShardLocks;

  size_t shard_of(std::string_view key) const { return std::hash<std::string_view>{}(key) % kShards; }
  Moment moment(std::span<const Take> quotas) const;
  Decision decide(Arena& arena, std::span<const Take> quotas);
  void tell_forgotten(size_t count, Time now);
  using Meters = OwnedTable<Meter>;
  void keep(Meters& meters, std::string_view key, const Take& take, Meters::Item* kept, Reckoning& reckoning,
            Time now) const;
  ClaimState* held(Shard& shard, std::string_view key, std::string_view owner);

  const Clock& clock_;
  const uint64_t seed_;  // of the hash of owners, so that no client can aim at the owner that another is
  Channels channels_;
  std::deque<Shard> shards_;
  std::atomic<uint64_t> forgotten_ = 0;
  Paced forgetting_;  // log lines
  std::mutex logs_mutex_;
  size_t most_logs_;
  std::map<std::string, Log, std::less<>> logs_;
};

}  // namespace weir::store
