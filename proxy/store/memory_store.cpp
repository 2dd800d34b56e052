#include "store/memory_store.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <random>

#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "net/client_block.h"

namespace weir::store {

namespace {

bool is_calendar(Limit::Algorithm algorithm) {
  return algorithm == Limit::Algorithm::sliding_window || algorithm == Limit::Algorithm::fixed_window;
}

std::unexpected<Error> full() { return fail(ErrorCode::store_unavailable, Side::self, "the embedded store is full"); }

}  // namespace

MemoryStore::MemoryStore(const Clock& clock, Bounds bounds)
    : clock_(clock), seed_(uint64_t{std::random_device()()} << 32 | std::random_device()()), most_logs_(bounds.logs) {
  for (size_t i = 0; i < kShards; ++i) shards_.emplace_back(bounds);
}

/// The wall clock is for windows alone.
Moment MemoryStore::moment(std::span<const Take> quotas) const {
  const bool is_even = std::ranges::none_of(quotas, [](const Take& take) { return is_calendar(take.limit.algorithm); });
  const auto wall = is_even ? Duration{} : std::chrono::duration_cast<Duration>(clock_.wall().time_since_epoch());
  return {clock_.now().time_since_epoch(), wall};
}

// --- quotas

Task<Result<Decision>> MemoryStore::take(Caller caller, std::span<const Take> quotas) {
  co_return decide(caller.arena, quotas);
}

/// The mutexes of some shards, always locked in the same order, so that two takes never wait for each other.
class MemoryStore::ShardLocks {
 public:
  ShardLocks(std::deque<Shard>& shards, uint32_t which) : shards_(shards), which_(which) {
    for (uint32_t left = which_; left != 0; left &= left - 1) shards_[std::countr_zero(left)].mutex.lock();
  }
  ShardLocks(const ShardLocks&) = delete;
  ShardLocks& operator=(const ShardLocks&) = delete;
  ~ShardLocks() {
    for (uint32_t left = which_; left != 0; left &= left - 1) shards_[std::countr_zero(left)].mutex.unlock();
  }

 private:
  std::deque<Shard>& shards_;
  uint32_t which_;  // bits
};

/// Apart from the coroutine, whose frame would have to hold all of this.
Decision MemoryStore::decide(Arena& arena, std::span<const Take> quotas) {
  struct Place {
    std::string_view key;
    size_t shard;
    Meters::Item* kept;
    Reckoning reckoning;
  };
  struct Places {  // what they hold may have memory of its own
    std::span<Place> all;
    Place& operator[](size_t i) const { return all[i]; }
    ~Places() { std::ranges::destroy(all); }
  };
  const Places places{arena.make_list<Place>(quotas.size())};
  uint32_t needed = 0;
  for (size_t i = 0; i < quotas.size(); ++i) {
    places[i].key = arena.concat({quotas[i].limit.name, {"\0", 1}, quotas[i].key});  // no name has a NUL
    places[i].shard = shard_of(places[i].key);
    needed |= uint32_t{1} << places[i].shard;
  }
  const ShardLocks locks(shards_, needed);

  Decision decision{true, arena.make_list<Quota>(quotas.size())};
  const Moment now = moment(quotas);
  const auto reckon_at = [&](const Place& place, const Limit& limit, uint64_t cost) {
    const bool is_known = place.kept && place.kept->expires > Time(now.steady);
    return reckon(is_known ? place.kept->thing : Meter{}, limit, cost, now);
  };
  for (size_t i = 0; i < quotas.size(); ++i) {
    places[i].kept = shards_[places[i].shard].meters.place_of(places[i].key);
    places[i].reckoning = reckon_at(places[i], quotas[i].limit, quotas[i].cost);
    decision.allowed &= places[i].reckoning.quota.allowed;
  }
  for (size_t i = 0; i < quotas.size(); ++i) {
    auto& [key, shard, kept, reckoning] = places[i];
    decision.quotas[i] = reckoning.quota;
    if (quotas[i].cost == 0) continue;
    if (decision.allowed) {
      keep(shards_[shard].meters, key, quotas[i], kept, reckoning, Time(now.steady));
      continue;
    }
    // Told as it stands: nothing was taken.
    const Quota untouched = reckon_at(places[i], quotas[i].limit, 0).quota;
    decision.quotas[i].remaining = untouched.remaining;
    decision.quotas[i].reset_after = untouched.reset_after;
    if (reckoning.is_cut) keep(shards_[shard].meters, key, quotas[i], kept, reckoning, Time(now.steady));
  }
  size_t lost = 0;
  for (const Place& place : places.all) {  // last, since it may take what another quota has found
    shards_[place.shard].meters.sweep(Time(now.steady));
    lost += shards_[place.shard].meters.shrink(Time(now.steady));
  }
  if (lost > 0) tell_forgotten(lost, Time(now.steady));
  return decision;
}

void MemoryStore::tell_forgotten(size_t count, Time now) {
  forgotten_.fetch_add(count, std::memory_order_relaxed);
  if (const auto turn = forgetting_.turn(now))
    log::warn("store_full",
              {{"forgotten", forgotten_.load(std::memory_order_relaxed)},
               {"consequence",
                "the limits of keys unused for longest begin anew, first those of clients with very many keys"},
               {"remedy", "a larger store.max_size"}});
}

void MemoryStore::keep(Meters& meters, std::string_view key, const Take& take, Meters::Item* kept, Reckoning& reckoning,
                       Time now) const {
  const auto bytes_of = [](const Meter& meter) { return meter.taken.capacity() * sizeof(Duration); };
  if (kept) {
    const size_t before = bytes_of(kept->thing);
    kept->thing = std::move(reckoning.after);
    kept->expires = now + reckoning.keep;
    meters.resize(*kept, before, bytes_of(kept->thing));
    return;
  }
  const size_t bytes = bytes_of(reckoning.after);
  const uint64_t owner = net::block_of(take.client, hash(take.limit.name, seed_));
  meters.put(key, std::move(reckoning.after), now + reckoning.keep, owner, bytes);
}

void MemoryStore::bound_quotas(Bytes most) {
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    shard.meters.bound(most.count / kShards);
  }
}

MemoryStore::Usage MemoryStore::usage() const {
  Usage usage{.forgotten = forgotten_.load(std::memory_order_relaxed)};
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    usage.quotas += shard.meters.size();
    usage.bytes += shard.meters.bytes();
  }
  return usage;
}

// --- claims

MemoryStore::ClaimState* MemoryStore::held(Shard& shard, std::string_view key, std::string_view owner) {
  ClaimState* claim = shard.claims.find(key, clock_.now());
  return claim && claim->owner == owner ? claim : nullptr;
}

Task<Result<Claim>> MemoryStore::claim(Caller caller, std::string_view key, ClaimTerms terms) {
  Shard& shard = shards_[shard_of(key)];
  const std::lock_guard lock(shard.mutex);
  const Time now = clock_.now();
  if (const ClaimState* earlier = shard.claims.find(key, now)) {
    if (earlier->fingerprint != terms.fingerprint) co_return Claim{Claim::State::conflict};
    if (earlier->owner.empty()) co_return Claim{Claim::State::finished, caller.arena.copy(earlier->result)};
    if (earlier->lease_ends > now) co_return Claim{Claim::State::running, {}, earlier->lease_ends - now};
    if (terms.lapsed == ClaimTerms::Lapsed::tell) co_return Claim{Claim::State::lapsed};
  }
  shard.claims.sweep(now);
  if (shard.claims.is_full()) co_return full();
  ClaimState mine{std::string(terms.owner), std::string(terms.fingerprint), {}, now + terms.lease};
  shard.claims.put(key, std::move(mine), now + std::max(terms.keep, terms.lease),
                   terms.owner.size() + terms.fingerprint.size());
  co_return Claim{Claim::State::mine, {}, terms.lease};
}

Task<Result<bool>> MemoryStore::renew(Caller, std::string_view key, std::string_view owner, Duration lease) {
  Shard& shard = shards_[shard_of(key)];
  const std::lock_guard lock(shard.mutex);
  ClaimState* claim = held(shard, key, owner);
  if (!claim) co_return false;
  claim->lease_ends = clock_.now() + lease;
  shard.claims.keep_at_least_until(key, claim->lease_ends);
  co_return true;
}

Task<Result<bool>> MemoryStore::complete(Caller, std::string_view key, std::string_view owner, std::string_view result,
                                         Duration keep) {
  Shard& shard = shards_[shard_of(key)];
  const std::lock_guard lock(shard.mutex);
  ClaimState* claim = held(shard, key, owner);
  if (!claim) co_return false;
  ClaimState finished{{}, std::move(claim->fingerprint), std::string(result), {}};
  const size_t bytes = finished.fingerprint.size() + result.size();
  shard.claims.put(key, std::move(finished), clock_.now() + keep, bytes);
  co_return true;
}

Task<Result<bool>> MemoryStore::release(Caller, std::string_view key, std::string_view owner) {
  Shard& shard = shards_[shard_of(key)];
  const std::lock_guard lock(shard.mutex);
  if (!held(shard, key, owner)) co_return false;
  co_return shard.claims.remove(key);
}

// --- values

Task<Result<std::optional<std::string_view>>> MemoryStore::get(Caller caller, std::string_view key, size_t most) {
  Shard& shard = shards_[shard_of(key)];
  const std::lock_guard lock(shard.mutex);
  const std::string* value = shard.values.find(key, clock_.now());
  if (!value || value->empty() || value->size() > most) co_return std::optional<std::string_view>();
  co_return caller.arena.copy(*value);
}

Task<Result<>> MemoryStore::put(Caller, std::string_view key, std::string_view value, Duration keep) {
  Shard& shard = shards_[shard_of(key)];
  const std::lock_guard lock(shard.mutex);
  const Time now = clock_.now();
  shard.values.sweep(now);
  shard.values.put(key, std::string(value), now + keep, value.size());
  shard.values.shrink();
  co_return Result<>();
}

Task<Result<bool>> MemoryStore::remove(Caller, std::string_view key) {
  Shard& shard = shards_[shard_of(key)];
  const std::lock_guard lock(shard.mutex);
  const bool was_there = shard.values.find(key, clock_.now()) != nullptr;
  shard.values.remove(key);
  co_return was_there;
}

// --- logs

Task<Result<std::string_view>> MemoryStore::append_all(Caller caller, std::string_view log,
                                                       std::span<const std::string_view> values, size_t most) {
  const std::lock_guard lock(logs_mutex_);
  auto found = logs_.find(log);
  if (found == logs_.end()) {
    if (logs_.size() >= most_logs_) co_return full();
    found = logs_.emplace(log, Log{}).first;
  }
  Log& into = found->second;
  for (const auto value : values) into.entries.emplace_back(value);
  while (into.entries.size() > most) {
    into.entries.pop_front();
    ++into.first;
  }
  co_return caller.arena.copy(std::to_string(into.first + into.entries.size() - 1));
}

Task<Result<std::span<const Entry>>> MemoryStore::read(Caller caller, std::string_view log, std::string_view after,
                                                       size_t count) {
  const std::lock_guard lock(logs_mutex_);
  const auto found = logs_.find(log);
  if (found == logs_.end()) co_return std::span<const Entry>();
  const Log& from = found->second;
  const uint64_t next = std::max(parse_decimal(after).value_or(0) + 1, from.first);
  const uint64_t end = from.first + from.entries.size();
  count = next < end ? std::min<uint64_t>(count, end - next) : 0;
  auto* entries = static_cast<Entry*>(caller.arena.bump(count * sizeof(Entry), alignof(Entry)));
  for (size_t i = 0; i < count; ++i) {
    const uint64_t id = next + i;
    new (entries + i) Entry{caller.arena.copy(std::to_string(id)), caller.arena.copy(from.entries[id - from.first])};
  }
  co_return std::span<const Entry>(entries, count);
}

// --- news

Task<Result<>> MemoryStore::publish(Caller, std::string_view channel, std::string_view text) {
  channels_.deliver(channel, text);
  co_return Result<>();
}

}  // namespace weir::store
