#include "store/redis_store.h"

#include <algorithm>
#include <memory>

#include "base/text.h"
#include "store/redis_command.h"
#include "store/redis_decision.h"
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

/// True for an id of a Redis stream: two 64-bit numbers. Ids of another store have no entries here.
bool is_entry_id(std::string_view text) {
  constexpr size_t kLongest = 41;
  return !text.empty() && text.size() <= kLongest && text.find_first_not_of("0123456789-") == std::string_view::npos;
}

}  // namespace

RedisStore::RedisStore(Loop& loop, std::shared_ptr<RedisShared> shared)
    : loop_(loop), shared_(std::move(shared)), nodes_(loop, *shared_), limits_(shared_->settings.prefix) {}

RedisStore& RedisStore::bulk_store() {
  if (!shared_->bulk) return *this;
  if (!bulk_) bulk_ = std::make_shared<RedisStore>(loop_, shared_->bulk);
  return *bulk_;
}

std::string_view RedisStore::key(Caller caller, std::string_view kind, std::string_view name) {
  return plain_key(caller.arena, shared_->settings.prefix, kind, name);
}

RedisStore::Command RedisStore::plain(Caller caller, std::string_view key, Shape shape,
                                      std::initializer_list<std::string_view> words) {
  return {key, redis_command(caller.arena, words), shape, *words.begin()};
}

RedisStore::Command RedisStore::scripted(Caller caller, const RedisScript& script, std::string_view key, Shape shape,
                                         std::span<const std::string_view> arguments) {
  const auto words = caller.arena.make_list<std::string_view>(4 + arguments.size());
  words[0] = "EVALSHA";
  words[1] = script.sha1;
  words[2] = "1";
  words[3] = key;
  std::ranges::copy(arguments, words.begin() + 4);
  return {key, redis_command(caller.arena, words), shape, script.name, &script};
}

std::unexpected<Error> RedisStore::nonsense(const Command& command) {
  shared_->tell_nonsense(nodes_.of(command.key)->name, command.name, loop_.now());
  return unavailable(Fault::unexpected);
}

// --- claims

Task<Result<Claim>> RedisStore::claim(Caller caller, std::string_view key, ClaimTerms terms) {
  using State = Claim::State;
  const auto command = scripted(caller, scripts::claim, this->key(caller, "c", key), Shape::list,
                                {terms.owner, terms.fingerprint, microseconds(caller, terms.lease),
                                 milliseconds(caller, std::max(terms.keep, terms.lease)),
                                 terms.lapsed == ClaimTerms::Lapsed::take_over ? "1" : "0"});
  const auto answer = co_await run(caller, command);
  if (!answer) co_return unavailable(answer.error());
  const auto state = (*answer)[0].text;
  const auto& second = (*answer)[1];
  // Somebody else's lease may be longer than ours.
  const Duration left = duration_of(second.integer, kCentury);
  if (state == "mine") co_return Claim{State::mine, {}, std::min(left, terms.lease)};
  if (state == "running") co_return Claim{State::running, {}, left};
  if (state == "lapsed") co_return Claim{State::lapsed};
  if (state == "finished") co_return Claim{State::finished, second.text};
  if (state == "conflict") co_return Claim{State::conflict};
  co_return nonsense(command);
}

Task<Result<bool>> RedisStore::renew(Caller caller, std::string_view key, std::string_view owner, Duration lease) {
  return ask(caller, scripted(caller, scripts::renew, this->key(caller, "c", key), Shape::integer,
                              {owner, microseconds(caller, lease)}));
}

Task<Result<bool>> RedisStore::complete(Caller caller, std::string_view key, std::string_view owner,
                                        std::string_view result, Duration keep) {
  return ask(caller, scripted(caller, scripts::complete, this->key(caller, "c", key), Shape::integer,
                              {owner, result, milliseconds(caller, keep)}));
}

Task<Result<bool>> RedisStore::release(Caller caller, std::string_view key, std::string_view owner) {
  return ask(caller, scripted(caller, scripts::release, this->key(caller, "c", key), Shape::integer, {owner}));
}

Task<Result<bool>> RedisStore::ask(Caller caller, Command command) {
  const auto answer = co_await run(caller, command);
  if (!answer) co_return unavailable(answer.error());
  co_return answer->integer == 1;
}

// --- values

/// A byte more than may be tells that the value is longer; of a value that isn't there the range is empty.
Task<Result<std::optional<std::string_view>>> RedisStore::get(Caller caller, std::string_view key, size_t most) {
  const auto name = this->key(caller, "v", key);
  const auto last = redis_number(caller.arena, static_cast<int64_t>(most));
  auto command = plain(caller, name, Shape::text, {"GETRANGE", name, "0", last});
  command.most = most + 1;
  const auto answer = co_await run(caller, command);
  if (!answer) co_return unavailable(answer.error());
  const auto text = answer->text;
  co_return text.empty() || text.size() > most ? std::nullopt : std::optional(text);
}

Task<Result<>> RedisStore::put(Caller caller, std::string_view key, std::string_view value, Duration keep) {
  const auto name = this->key(caller, "v", key);
  const auto answer =
      co_await run(caller, plain(caller, name, Shape::text, {"SET", name, value, "PX", milliseconds(caller, keep)}));
  if (!answer) co_return unavailable(answer.error());
  co_return Result<>();
}

Task<Result<bool>> RedisStore::put_spare(Caller caller, std::string_view key, std::string_view value, Duration keep) {
  const auto name = this->key(caller, "v", key);
  return ask(caller, scripted(caller, scripts::put_spare, name, Shape::integer, {value, milliseconds(caller, keep)}));
}

Task<Result<bool>> RedisStore::remove(Caller caller, std::string_view key) {
  const auto name = this->key(caller, "v", key);
  return ask(caller, plain(caller, name, Shape::integer, {"DEL", name}));
}

// --- logs

Task<Result<std::string_view>> RedisStore::append_all(Caller caller, std::string_view log,
                                                      std::span<const std::string_view> values, size_t most) {
  const auto words = caller.arena.make_list<std::string_view>(2 + values.size());
  words[0] = redis_number(caller.arena, static_cast<int64_t>(most));
  words[1] = milliseconds(caller, kLogKeep);
  std::ranges::copy(values, words.begin() + 2);
  const auto answer =
      co_await run(caller, scripted(caller, scripts::append, key(caller, "l", log), Shape::text, words));
  if (!answer) co_return unavailable(answer.error());
  co_return answer->text;
}

Task<Result<std::span<const Entry>>> RedisStore::read(Caller caller, std::string_view log, std::string_view after,
                                                      size_t count) {
  const auto name = key(caller, "l", log);
  const auto from = is_entry_id(after) ? caller.arena.concat({"(", after}) : std::string_view("-");
  const auto most = redis_number(caller.arena, static_cast<int64_t>(count));
  const auto command = plain(caller, name, Shape::list, {"XRANGE", name, from, "+", "COUNT", most});
  const auto answer = co_await run(caller, command);
  if (!answer) co_return unavailable(answer.error());
  const auto found = answer->items;
  if (found.size() > count) co_return nonsense(command);
  const auto entries = caller.arena.make_list<Entry>(found.size());
  for (size_t i = 0; i < found.size(); ++i) {
    entries[i] = {found[i][0].text, found[i][1][1].text};
    if (!is_entry_id(entries[i].id)) co_return nonsense(command);
  }
  co_return std::span<const Entry>(entries);
}

// --- news

Task<Result<>> RedisStore::publish(Caller caller, std::string_view channel, std::string_view text) {
  const auto name = caller.arena.concat({shared_->settings.prefix, "m:", channel});
  const auto answer = co_await run(caller, plain(caller, name, Shape::integer, {"PUBLISH", name, text}));
  if (!answer) co_return unavailable(answer.error());
  co_return Result<>();
}

// --- instances

Task<Result<uint32_t>> RedisStore::beat(Caller caller) {
  constexpr int64_t kMostInstances = 1'000'000;
  const auto command = scripted(caller, scripts::heartbeat, key(caller, "i", "instances"), Shape::integer,
                                {shared_->instance, milliseconds(caller, std::chrono::seconds(5))});
  const auto answer = co_await run(caller, command);
  if (!answer) co_return unavailable(answer.error());
  if (answer->integer < 1 || answer->integer > kMostInstances) co_return nonsense(command);
  co_return static_cast<uint32_t>(answer->integer);
}

// --- quotas

/// How a take of so many quotas begins, up to its keys.
std::string RedisStore::take_head(size_t quotas) {
  Arena arena(blocks_);
  CommandWriter head(arena, 3, 64);
  head.count(4 + 7 * quotas);
  head.word("EVALSHA");
  head.word(scripts::take.sha1);
  head.number(quotas);
  return std::string(head.text());
}

/// scripts/take.lua: a key for each quota, then six words for each, then the order.
RedisStore::TakeCommand RedisStore::take_command(Caller caller, std::span<const Take> quotas) {
  auto& head = take_heads_.at(quotas.size());
  if (head.empty()) head = take_head(quotas.size());
  constexpr size_t kTerms = 16 + 5 * CommandWriter::kLongestNumber;
  size_t bytes = head.size() + CommandWriter::kLongestNumber;
  for (const Take& take : quotas) {
    const size_t texts = take.limit.name.size() + take.limit.slot.size() + take.key.size();
    bytes += shared_->settings.prefix.size() + 8 + 3 * texts + kTerms;  // escaped, a byte is three
  }
  CommandWriter command(caller.arena, 7 * quotas.size() + 1, bytes);
  CommandWriter terms(caller.arena, 6 * quotas.size(), quotas.size() * kTerms);
  command.written(head);
  std::string_view first_key;
  for (const Take& take : quotas) {
    const RedisLimit& limit = limits_.of(take.limit);
    const auto key = command.word(limit.keys.before, escaped(caller.arena, take.key), limit.keys.after);
    if (first_key.empty()) first_key = key;
    terms.written(limit.terms);
    // Nobody is asked for more than a little beyond what there is: products stay far below 2^53.
    terms.number(std::min(take.cost, limit.most + 1));
  }
  command.written(terms.text());
  auto node = nodes_.of(first_key);
  const auto order = node->health->room().order(quotas, loop_.now());
  command.number(static_cast<uint64_t>(order));
  return {{first_key, command.text(), Shape::text, scripts::take.name, &scripts::take}, std::move(node), order};
}

bool RedisStore::hear_room(RedisNodes::Node& node, std::string_view& text) {
  const auto at = text.rfind(' ');
  const auto found = at == std::string_view::npos ? std::nullopt : parse_decimal(text.substr(at + 1));
  if (!found || *found > static_cast<uint64_t>(Room::none)) return false;
  text = text.substr(0, at);
  if (node.health->room().saw(static_cast<Room>(*found), loop_.now())) shared_->tell_scarce(node.name);
  return true;
}

Task<Result<Decision>> RedisStore::take(Caller caller, std::span<const Take> quotas) {
  using Order = ServerRoom::Order;
  const auto [command, node, order] = take_command(caller, quotas);
  const auto answer = co_await run(caller, command);
  if (!answer) co_return unavailable(answer.error());
  auto text = answer->text;
  const bool looks = order == Order::look || order == Order::look_known_only;
  if (looks && !hear_room(*node, text)) co_return nonsense(command);
  const auto decision = read_decision(caller.arena, quotas, text);
  if (!decision) co_return nonsense(command);
  node->health->room().counted(quotas, *decision);
  co_return *decision;
}

}  // namespace weir::store
