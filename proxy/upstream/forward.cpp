#include "upstream/forward.h"

#include "async/race.h"
#include "upstream/connection_pool.h"
#include "upstream/secure.h"

namespace weir::upstream {

namespace {

Task<bool> until_writable(Connection& connection) {
  co_await connection.socket().writable();
  co_return true;
}

/// Closes a connection that never came to be lent.
struct Discard {
  ConnectionPool* pool;
  void operator()(Connection* connection) const { pool->retire(*connection); }
};
using Pending = std::unique_ptr<Connection, Discard>;

Task<Result<Connection*>> connect(Exchange& exchange, const Upstream& upstream, const Endpoint& endpoint) {
  const auto connecting = net::start_connect(endpoint.state->address);
  if (!connecting) co_return std::unexpected(connecting.error());
  auto& pool = *exchange.worker.connections;
  Pending connection(&pool.open(endpoint.state, connecting->fd), Discard{&pool});
  const auto until = std::min(exchange.deadline, exchange.loop().now() + upstream.settings().timeouts.connect);
  if (!connecting->is_connected) {
    if (!co_await before(exchange.loop(), until, until_writable(*connection))) {
      co_return fail(ErrorCode::connect_timeout, Side::upstream, "the connection took too long", RetrySafe::yes);
    }
    if (const auto connected = net::finish_connect(connecting->fd); !connected)
      co_return std::unexpected(connected.error());
  }
  if (upstream.tls()) {
    if (auto secured = co_await secure(exchange, connection->socket(), upstream.tls(), endpoint, until); !secured)
      co_return std::unexpected(secured.error());
  }
  connection->start();
  co_return connection.release();
}

ConnectionPool::Keep keep_of(const Upstream& upstream) {
  const auto& settings = upstream.settings();
  return {settings.timeouts.idle, settings.max_idle, settings.max_requests_per_connection,
          identity_of(upstream.tls().get())};
}

/// RFC 9110 section 9.2.2 and RFC 9112 section 9.3.1: the endpoint closed a connection that we took for alive. The same
/// request may go once more when doing it twice does no harm and all of it can be had again.
bool may_send_again(const Exchange& exchange, const Upstream& upstream, const ResponseBody& response,
                    const Error& error) {
  return response.died_on_reuse() && upstream.settings().retry_reused && http::is_idempotent(exchange.request.method) &&
         (error.code == ErrorCode::connection_reset || error.code == ErrorCode::incomplete_response) &&
         exchange.request_body->rewind();
}

}  // namespace

Forward::Forward(const std::vector<std::unique_ptr<Upstream>>& upstreams) {
  for (const auto& upstream : upstreams) upstreams_.emplace(upstream->name(), upstream.get());
}

Task<> Forward::handle(Exchange& exchange) const {
  const auto found = upstreams_.find(exchange.destination.upstream);
  if (found == upstreams_.end()) {
    exchange.fail({ErrorCode::no_endpoint, Side::self, "no upstream of that name"});
    co_return;
  }
  const Upstream& upstream = *found->second;
  auto immediate = upstream.try_acquire(exchange);
  auto lease = immediate ? std::move(*immediate) : co_await upstream.acquire(exchange);
  if (!lease) {
    exchange.fail(lease.error());
    co_return;
  }
  const auto done = co_await attempt(exchange, upstream, std::move(*lease));
  if (!done) exchange.fail(done.error());
}

Task<Result<>> Forward::attempt(Exchange& exchange, const Upstream& upstream, EndpointLease lease) const {
  auto& state = lease.state();
  const Endpoint& endpoint = lease.endpoint();
  Gate::Permit permit;
  if (state.gate) {
    auto admitted = state.gate->admit(exchange.loop().now());
    if (!admitted) co_return std::unexpected(admitted.error());
    permit = std::move(*admitted);
  }
  exchange.attempts.add(
      {.number = static_cast<uint32_t>(exchange.attempts.size() + 1),
       .upstream = upstream.name(),
       .endpoint = exchange.arena().copy(state.text),  // a name's endpoint may go before the exchange does
       .endpoint_id = &state,
       .started = exchange.loop().now()});
  Attempt& record = exchange.attempts.back();
  Connection* connection = exchange.worker.connections->take(state, keep_of(upstream));
  for (;;) {
    record.reused = connection != nullptr;
    if (!connection) {
      auto made = co_await connect(exchange, upstream, endpoint);
      if (!made) {
        record.outcome = made.error().code == ErrorCode::connect_timeout ? Outcome::timed_out : Outcome::refused;
        permit.report(record.outcome, 0, exchange.loop().now() - record.started);
        lease.failed();
        lease.measured(upstream.settings().timeouts.connect);
        co_return std::unexpected(made.error());
      }
      connection = *made;
    }
    record.connected = exchange.loop().now();
    auto response = make_in<ResponseBody>(exchange.arena(), exchange, record, upstream, std::move(lease));
    response->hold(std::move(permit));
    response->send(*connection);
    while (!response->is_settled()) co_await response->changed();
    if (response->has_head()) {
      exchange.response.body = std::move(response);
      co_return Result<>();
    }
    const Error error = response->error();
    if (!may_send_again(exchange, upstream, *response, error)) {
      response->settle(error);
      co_return std::unexpected(error);
    }
    permit = response->take_permit();
    lease = response->give_up();
    exchange.record.raise(Flag::LR);
    connection = nullptr;
  }
}

}  // namespace weir::upstream
