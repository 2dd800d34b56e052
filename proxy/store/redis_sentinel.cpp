#include "store/redis_sentinel.h"

#include <algorithm>

#include "async/race.h"
#include "base/text.h"
#include "store/redis_command.h"

namespace weir::store {

namespace {

constexpr Duration kPatience = std::chrono::milliseconds(250);  // with one sentinel

}  // namespace

SentinelFinder::SentinelFinder(Loop& loop, std::string master, std::vector<Sentinel> sentinels, net::Resolver& resolver)
    : loop_(loop), master_(std::move(master)), sentinels_(std::move(sentinels)), resolver_(resolver) {}

Task<std::expected<net::Address, Fault>> SentinelFinder::find() {
  Fault fault = Fault::not_connected;
  for (size_t i = 0; i < sentinels_.size(); ++i) {
    const auto deadline = loop_.now() + kPatience;
    const auto found = co_await before(loop_, deadline, ask(sentinels_[i], deadline));
    if (found && *found) {
      std::rotate(sentinels_.begin(), sentinels_.begin() + static_cast<std::ptrdiff_t>(i), sentinels_.end());
      co_return *found;
    }
    fault = found ? found->error() : Fault::timeout;
  }
  co_return std::unexpected(fault);
}

Task<std::expected<net::Address, Fault>> SentinelFinder::ask(Sentinel& sentinel, Time deadline) {
  const auto address = co_await sentinel.finder->find();
  if (!address) co_return address;
  RedisConnection connection(loop_, *address);
  Arena arena(blocks_);
  const auto& [user, password] = std::tie(sentinel.address.user, sentinel.address.password);
  if (!password.empty()) {
    const auto login =
        user.empty() ? redis_command(arena, {"AUTH", password}) : redis_command(arena, {"AUTH", user, password});
    const auto answer = co_await connection.call(arena, login, deadline);
    if (!answer) co_return std::unexpected(answer.error());
    if (answer->is_error()) co_return std::unexpected(Fault::auth);
  }
  const auto question = redis_command(arena, {"SENTINEL", "get-master-addr-by-name", master_});
  const auto answer = co_await connection.call(arena, question, deadline);
  if (!answer) co_return std::unexpected(answer.error());
  if (answer->is_error()) co_return std::unexpected(fault_of(*answer));
  const auto port = parse_decimal((*answer)[1].text);
  if (!port || *port == 0 || *port > 65535) co_return std::unexpected(Fault::not_connected);
  RedisAddress master;
  master.host = (*answer)[0].text;
  master.port = static_cast<uint16_t>(*port);
  NamedServer named(master, &resolver_);
  co_return co_await named.find();
}

}  // namespace weir::store
