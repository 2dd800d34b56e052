#include "store/redis_sentinel.h"

#include "async/first_of.h"
#include "base/text.h"
#include "store/redis_command.h"
#include "store/redis_slots.h"

namespace weir::store {

namespace {

constexpr Duration kPatience = std::chrono::milliseconds(250);

/// A sentinel's answer: a host and a port.
std::optional<RedisAddress> read_master(const Reply& answer) {
  const auto port = parse_decimal(answer[1].text);
  if (!port || *port == 0 || *port > 65535 || !is_host(answer[0].text)) return std::nullopt;
  RedisAddress master;
  master.host = answer[0].text;
  master.port = static_cast<uint16_t>(*port);
  return master;
}

}  // namespace

SentinelFinder::SentinelFinder(Loop& loop, RedisShared& shared, std::vector<Sentinel> sentinels,
                               net::Resolver& resolver)
    : loop_(loop), shared_(shared), sentinels_(std::move(sentinels)), resolver_(resolver) {}

Task<std::expected<net::Address, Fault>> SentinelFinder::find() {
  Round round{loop_.now() + kPatience};
  std::vector<Task<std::optional<net::Address>>> questions;
  for (auto& sentinel : sentinels_) questions.push_back(ask(sentinel, round));
  const auto found = co_await first_of(loop_, round.deadline, Duration::zero(), std::move(questions));
  if (found) last_ = found;
  else if (!round.is_last_confirmed) co_return std::unexpected(round.fault);
  co_return *last_;
}

/// Nothing also for the last result, confirmed in `round`.
Task<std::optional<net::Address>> SentinelFinder::ask(Sentinel& sentinel, Round& round) {
  const auto address = co_await sentinel.finder->find();
  if (!address) {
    round.fault = address.error();
    co_return std::nullopt;
  }
  RedisConnection connection(loop_, *address);
  Arena arena(blocks_);
  const auto answer = co_await question(sentinel.address, connection, arena, round.deadline);
  if (connection.has_broken_protocol())
    shared_.tell_breach(sentinel.address.text(), connection.why_closed(), loop_.now());
  if (!answer) {
    round.fault = answer.error();
    co_return std::nullopt;
  }
  if (answer->type == Reply::Type::nothing) {
    round.fault = Fault::not_connected;  // unknown master
    co_return std::nullopt;
  }
  const auto master = read_master(*answer);
  if (!master) {
    round.fault = Fault::unexpected;
    shared_.tell_nonsense(sentinel.address.text(), "SENTINEL get-master-addr-by-name", loop_.now());
    co_return std::nullopt;
  }
  NamedServer named(*master, &resolver_);
  const auto found = co_await named.find();
  if (!found) {
    round.fault = found.error();
    co_return std::nullopt;
  }
  if (found != last_) co_return *found;
  round.is_last_confirmed = true;
  co_return std::nullopt;
}

Task<Answer> SentinelFinder::question(const RedisAddress& login, RedisConnection& connection, Arena& arena,
                                      Time deadline) {
  if (!login.password.empty()) {
    const auto command = login.user.empty() ? redis_command(arena, {"AUTH", login.password})
                                            : redis_command(arena, {"AUTH", login.user, login.password});
    const auto answer = co_await connection.call(arena, command, deadline);
    if (!answer) co_return answer;
    if (answer->is_error()) co_return std::unexpected(Fault::auth);
  }
  const auto command = redis_command(arena, {"SENTINEL", "get-master-addr-by-name", shared_.settings.sentinel_master});
  const auto answer = co_await connection.call(arena, command, deadline);
  if (answer && answer->is_error()) co_return std::unexpected(fault_of(*answer));
  co_return answer;
}

}  // namespace weir::store
