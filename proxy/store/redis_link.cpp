#include "store/redis_link.h"

#include <algorithm>

#include "async/race.h"
#include "async/sleep.h"
#include "store/redis_command.h"

namespace weir::store {

namespace {

constexpr Duration kConnectTimeout = std::chrono::seconds(1);  // all of it: name, connection, login
constexpr Duration kLasting = std::chrono::seconds(1);
constexpr Duration kFirstPause = std::chrono::milliseconds(50);
constexpr Duration kLongestPause = std::chrono::milliseconds(500);

}  // namespace

Task<std::expected<net::Address, Fault>> NamedServer::find() {
  if (!server_.path.empty()) co_return net::Address::unix_path(server_.path);
  if (const auto address = net::Address::parse_ip(server_.host, server_.port)) co_return *address;
  const auto answer = co_await resolver_->resolve(server_.host, net::RecordType::any);
  if (!answer) co_return std::unexpected(Fault::not_connected);
  co_return answer->records.front().address.with_port(server_.port);
}

RedisLink::RedisLink(Loop& loop, RedisShared& shared, const std::string& name, std::unique_ptr<RedisFinder> finder,
                     Login login, Expect expect)
    : loop_(loop),
      shared_(shared),
      name_(name),
      finder_(std::move(finder)),
      login_(std::move(login)),
      expect_(expect),
      changed_(loop) {
  task_ = keep_connected();
  task_.start();
}

Task<> RedisLink::keep_connected() {
  for (;;) {
    auto fault = co_await connect(loop_.now() + kConnectTimeout);
    if (!fault) {
      fault_.reset();
      is_ready_ = true;
      changed_.notify();
      const Time since = loop_.now();
      co_await connection_->closed();
      is_ready_ = false;
      if (loop_.now() - since >= kLasting) {
        failures_ = 0;
        let_go(std::nullopt);
        continue;
      }
      fault = Fault::connection_lost;
    }
    ++failures_;
    let_go(fault);
    co_await sleep_for(loop_, pause());
  }
}

/// `fault`: result of pending `ready` calls; without a fault they wait for the next attempt, which starts at once.
void RedisLink::let_go(std::optional<Fault> fault) {
  if (connection_ && !connection_->is_open()) {
    why_lost_ = connection_->why_closed();
    if (connection_->has_broken_protocol()) shared_.tell_breach(name_, why_lost_, loop_.now());
  }
  fault_ = fault;
  connection_.reset();
  changed_.notify();
}

Duration RedisLink::pause() {
  const auto most = std::min(kFirstPause * (1 << std::min(failures_, 4U)), kLongestPause);
  return Duration(std::uniform_int_distribution<Duration::rep>(most.count() / 2, most.count())(random_));
}

Task<std::optional<Fault>> RedisLink::connect(Time deadline) {
  const auto address = co_await before(loop_, deadline, finder_->find());
  if (!address) co_return Fault::timeout;
  if (!*address) co_return address->error();
  connection_ = std::make_unique<RedisConnection>(loop_, **address);
  Arena arena(blocks_);
  co_return co_await greet(arena, deadline);
}

Task<std::optional<Fault>> RedisLink::greet(Arena& arena, Time deadline) {
  const auto fault_in = [](const Answer& answer) -> std::optional<Fault> {
    if (!answer) return answer.error() == Fault::connection_lost ? Fault::not_connected : answer.error();
    if (answer->is_error()) return fault_of(*answer);
    return std::nullopt;
  };
  if (!login_.password.empty()) {
    const auto command = login_.user.empty() ? redis_command(arena, {"AUTH", login_.password})
                                             : redis_command(arena, {"AUTH", login_.user, login_.password});
    const auto answer = co_await connection_->call(arena, command, deadline);
    if (const auto fault = fault_in(answer)) co_return fault == Fault::unexpected ? Fault::auth : *fault;
  }
  if (login_.database > 0) {
    const auto command = redis_command(arena, {"SELECT", redis_number(arena, login_.database)});
    const auto answer = co_await connection_->call(arena, command, deadline);
    if (const auto fault = fault_in(answer)) co_return fault;
  }
  const auto answer = co_await connection_->call(arena, redis_command(arena, {"PING"}), deadline);
  if (const auto fault = fault_in(answer)) co_return fault;
  if (answer->text != "PONG") {
    shared_.tell_nonsense(name_, "PING", loop_.now());
    co_return Fault::unexpected;
  }
  if (expect_ == Expect::any) co_return std::nullopt;
  const auto role = co_await connection_->call(arena, redis_command(arena, {"ROLE"}), deadline);
  if (const auto fault = fault_in(role)) co_return fault;
  if ((*role)[0].text != "master") co_return Fault::read_only;
  co_return std::nullopt;
}

Task<std::expected<RedisConnection*, Fault>> RedisLink::ready(Time deadline) {
  while (!is_ready_) {
    if (fault_) co_return std::unexpected(*fault_);
    struct Change {
      static Task<bool> of(RedisLink& link) {
        co_await link.changed_.wait();
        co_return true;
      }
    };
    if (!co_await before(loop_, deadline, Change::of(*this))) co_return std::unexpected(Fault::timeout);
  }
  co_return connection_.get();
}

Task<Answer> RedisLink::ask(Arena& arena, std::string_view command, Time deadline, ReplyBounds bounds) {
  auto* connection = this->connection();
  if (!connection) {
    const auto waited = co_await ready(deadline);
    if (!waited) co_return std::unexpected(waited.error());
    connection = *waited;
  }
  co_return co_await connection->call(arena, command, deadline, bounds);
}

void RedisLink::drop(std::string_view why) {
  if (connection_ && is_ready_) connection_->close(why);
}

}  // namespace weir::store
