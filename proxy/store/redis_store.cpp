#include "store/redis_store.h"

#include <algorithm>
#include <array>
#include <memory>

#include "store/redis_command.h"
#include "store/redis_keys.h"

namespace weir::store {

namespace {

/// How long a log outlives its last entry.
constexpr Duration kLogKeep = std::chrono::days(30);

std::unexpected<Error> unavailable(Fault fault) {
  const auto why = [&]() -> std::string_view {
    switch (fault) {
      case Fault::timeout: return "the store didn't answer in time";
      case Fault::auth: return "the store refused the login";
      case Fault::out_of_memory: return "the store is full";
      case Fault::read_only: return "the store takes no writes";
      case Fault::loading: return "the store is still loading";
      case Fault::unexpected: return "the store's answer makes no sense";
      default: return "the store is gone";
    }
  };
  return fail(ErrorCode::store_unavailable, Side::self, why());
}

/// Until when to keep: Redis forgets a key one millisecond after the one that it was given.
std::string_view milliseconds(Caller caller, Duration time) {
  const auto count = std::chrono::ceil<std::chrono::milliseconds>(time).count() - 1;
  return redis_number(caller.arena, std::max<int64_t>(count, 1));
}

std::string_view microseconds(Caller caller, Duration time) {
  return redis_number(caller.arena, std::chrono::ceil<std::chrono::microseconds>(time).count());
}

std::span<std::string_view> words_in(Arena& arena, size_t count) {
  auto* words = static_cast<std::string_view*>(arena.bump(count * sizeof(std::string_view), alignof(std::string_view)));
  std::uninitialized_value_construct_n(words, count);
  return {words, count};
}

uint64_t most_of(const Limit& limit) { return limit.algorithm == Limit::Algorithm::gcra ? limit.burst : limit.count; }

/// scripts/take.lua: five words for each quota.
std::array<std::string_view, 5> terms_of(Arena& arena, const Take& take) {
  const Limit& limit = take.limit;
  const auto number = [&](uint64_t value) { return redis_number(arena, static_cast<int64_t>(value)); };
  const auto most = number(most_of(limit));
  // Nobody is asked for more than a little beyond what there is: products stay far below 2^53.
  const auto cost = number(std::min(take.cost, most_of(limit) + 1));
  const auto per = static_cast<uint64_t>(limit.per.count());
  if (limit.algorithm == Limit::Algorithm::gcra) {
    constexpr unsigned __int128 kTicks = 16;  // in a microsecond
    const auto interval = std::max<uint64_t>(static_cast<uint64_t>(per * kTicks / 1000 / limit.count), 1);
    return {"gcra", number(interval), number(interval * limit.burst), most, cost};
  }
  const bool slides = limit.algorithm == Limit::Algorithm::sliding_window;
  return {slides ? "slide" : "fixed", most, number(std::max<uint64_t>(per / 1000, 1)), most, cost};
}

/// An id as Redis gives them; whatever else comes from another store, and has nothing behind it here.
bool is_entry_id(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789-") == std::string_view::npos;
}

}  // namespace

RedisStore::RedisStore(Loop& loop, std::shared_ptr<RedisShared> shared)
    : loop_(loop), shared_(std::move(shared)), nodes_(loop, *shared_) {}

std::string_view RedisStore::key(Caller caller, std::string_view kind, std::string_view name) {
  return plain_key(caller.arena, shared_->settings.prefix, kind, name);
}

RedisStore::Command RedisStore::plain(Caller caller, std::string_view key,
                                      std::initializer_list<std::string_view> words) {
  const auto all = words_in(caller.arena, words.size());
  std::ranges::copy(words, all.begin());
  return {key, all};
}

RedisStore::Command RedisStore::scripted(Caller caller, const RedisScript& script, std::string_view key,
                                         std::initializer_list<std::string_view> arguments) {
  const auto words = words_in(caller.arena, 4 + arguments.size());
  words[0] = "EVALSHA";
  words[1] = script.sha1;
  words[2] = "1";
  words[3] = key;
  std::ranges::copy(arguments, words.begin() + 4);
  return {key, words, &script};
}

// --- claims

Task<Result<Claim>> RedisStore::claim(Caller caller, std::string_view key, ClaimTerms terms) {
  using State = Claim::State;
  const auto answer = co_await run(caller, scripted(caller, scripts::claim, this->key(caller, "c", key),
                                                    {terms.owner, terms.fingerprint, microseconds(caller, terms.lease),
                                                     milliseconds(caller, std::max(terms.keep, terms.lease)),
                                                     terms.lapsed == ClaimTerms::Lapsed::take_over ? "1" : "0"}));
  if (!answer) co_return unavailable(answer.error());
  const auto state = (*answer)[0].text;
  const auto& second = (*answer)[1];
  const Duration left = std::chrono::microseconds(second.integer);
  if (state == "mine") co_return Claim{State::mine, {}, left};
  if (state == "running") co_return Claim{State::running, {}, left};
  if (state == "lapsed") co_return Claim{State::lapsed};
  if (state == "finished") co_return Claim{State::finished, second.text};
  if (state == "conflict") co_return Claim{State::conflict};
  co_return unavailable(Fault::unexpected);
}

Task<Result<bool>> RedisStore::renew(Caller caller, std::string_view key, std::string_view owner, Duration lease) {
  return ask(caller,
             scripted(caller, scripts::renew, this->key(caller, "c", key), {owner, microseconds(caller, lease)}));
}

Task<Result<bool>> RedisStore::complete(Caller caller, std::string_view key, std::string_view owner,
                                        std::string_view result, Duration keep) {
  return ask(caller, scripted(caller, scripts::complete, this->key(caller, "c", key),
                              {owner, result, milliseconds(caller, keep)}));
}

Task<Result<bool>> RedisStore::release(Caller caller, std::string_view key, std::string_view owner) {
  return ask(caller, scripted(caller, scripts::release, this->key(caller, "c", key), {owner}));
}

Task<Result<bool>> RedisStore::ask(Caller caller, Command command) {
  const auto answer = co_await run(caller, command);
  if (!answer) co_return unavailable(answer.error());
  co_return answer->integer == 1;
}

// --- values

Task<Result<std::optional<std::string_view>>> RedisStore::get(Caller caller, std::string_view key) {
  const auto name = this->key(caller, "v", key);
  const auto answer = co_await run(caller, plain(caller, name, {"GET", name}));
  if (!answer) co_return unavailable(answer.error());
  co_return answer->type == Reply::Type::text ? std::optional(answer->text) : std::nullopt;
}

Task<Result<>> RedisStore::put(Caller caller, std::string_view key, std::string_view value, Duration keep) {
  const auto name = this->key(caller, "v", key);
  const auto answer = co_await run(caller, plain(caller, name, {"SET", name, value, "PX", milliseconds(caller, keep)}));
  if (!answer) co_return unavailable(answer.error());
  co_return Result<>();
}

Task<Result<bool>> RedisStore::remove(Caller caller, std::string_view key) {
  const auto name = this->key(caller, "v", key);
  return ask(caller, plain(caller, name, {"DEL", name}));
}

// --- logs

Task<Result<std::string_view>> RedisStore::append(Caller caller, std::string_view log, std::string_view value,
                                                  size_t most) {
  const auto answer = co_await run(caller, scripted(caller, scripts::append, key(caller, "l", log),
                                                    {value, redis_number(caller.arena, static_cast<int64_t>(most)),
                                                     milliseconds(caller, kLogKeep)}));
  if (!answer) co_return unavailable(answer.error());
  co_return answer->text;
}

Task<Result<std::span<const Entry>>> RedisStore::read(Caller caller, std::string_view log, std::string_view after,
                                                      size_t count) {
  const auto name = key(caller, "l", log);
  const auto from = is_entry_id(after) ? caller.arena.concat({"(", after}) : std::string_view("-");
  const auto most = redis_number(caller.arena, static_cast<int64_t>(count));
  const auto answer = co_await run(caller, plain(caller, name, {"XRANGE", name, from, "+", "COUNT", most}));
  if (!answer) co_return unavailable(answer.error());
  const auto found = answer->items;
  auto* entries = static_cast<Entry*>(caller.arena.bump(found.size() * sizeof(Entry), alignof(Entry)));
  for (size_t i = 0; i < found.size(); ++i) new (entries + i) Entry{found[i][0].text, found[i][1][1].text};
  co_return std::span<const Entry>(entries, found.size());
}

// --- news

Task<Result<>> RedisStore::publish(Caller caller, std::string_view channel, std::string_view text) {
  const auto name = caller.arena.concat({shared_->settings.prefix, "m:", channel});
  const auto answer = co_await run(caller, plain(caller, name, {"PUBLISH", name, text}));
  if (!answer) co_return unavailable(answer.error());
  co_return Result<>();
}

// --- instances

Task<Result<uint32_t>> RedisStore::beat(Caller caller) {
  const auto name = key(caller, "i", "instances");
  const auto answer = co_await run(
      caller,
      scripted(caller, scripts::heartbeat, name, {shared_->instance, milliseconds(caller, std::chrono::seconds(5))}));
  if (!answer) co_return unavailable(answer.error());
  co_return static_cast<uint32_t>(answer->integer);
}

// --- quotas

RedisStore::Command RedisStore::take_command(Caller caller, std::span<const Take> quotas) {
  const auto words = words_in(caller.arena, 3 + quotas.size() * 6);
  words[0] = "EVALSHA";
  words[1] = scripts::take.sha1;
  words[2] = redis_number(caller.arena, static_cast<int64_t>(quotas.size()));
  auto* at = &words[3];
  for (const Take& take : quotas) *at++ = quota_key(caller.arena, shared_->settings.prefix, take.limit, take.key);
  for (const Take& take : quotas) at = std::ranges::copy(terms_of(caller.arena, take), at).out;
  return {words[3], words, &scripts::take};
}

Task<Result<Decision>> RedisStore::take(Caller caller, std::span<const Take> quotas) {
  const auto answer = co_await run(caller, take_command(caller, quotas));
  if (!answer) co_return unavailable(answer.error());
  if (answer->items.size() != 4 * quotas.size()) co_return unavailable(Fault::unexpected);
  Decision decision{true, caller.arena.make_list<Quota>(quotas.size())};
  for (size_t i = 0; i < quotas.size(); ++i) {
    const Take& take = quotas[i];
    const auto told = answer->items.subspan(4 * i, 4);
    Quota& quota = decision.quotas[i];
    quota.allowed = told[0].integer == 1;
    quota.most = most_of(take.limit);
    quota.is_beyond = take.cost > quota.most;
    quota.remaining = static_cast<uint64_t>(told[1].integer);
    quota.retry_after = std::chrono::microseconds(told[2].integer);
    quota.reset_after = std::chrono::microseconds(told[3].integer);
    decision.allowed &= quota.allowed;
  }
  co_return decision;
}

}  // namespace weir::store
