#include "upstream/forward.h"

#include "async/race.h"
#include "exchange/decisions.h"
#include "exchange/grpc_call.h"
#include "upstream/connection_pool.h"
#include "upstream/secure.h"

namespace weir::upstream {

namespace {

constexpr int kMostAgain = 3;  // times that one request is sent again before its endpoint has looked at it
constexpr Duration kLeastSilence = std::chrono::seconds(10);  // TCP has to send again a few times before it gives up

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

/// The client's address as filters see it. Its port is known when no proxy stands between.
net::Address source_of(const Exchange& exchange) {
  const auto& client = exchange.client;
  char text[INET6_ADDRSTRLEN];
  if (client.peer.ip(text) == client.ip) return client.peer;
  return net::Address::parse_ip(client.ip, 0).value_or(client.peer);
}

/// Before any other byte of a connection, those of TLS among them. What the fresh socket doesn't take leaves with the
/// request.
void send_proxy_header(const Exchange& exchange, net::ProxyVersion version, Connection& connection) {
  connection.wire().output().append(net::write_proxy_header(version, source_of(exchange), exchange.local_address()));
  (void)connection.socket().send(connection.wire().output());
}

/// No timer of TCP's is to be quicker than the one that limits how long a request's bytes may wait for the endpoint.
void limit_silence(const Upstream& upstream, Connection& connection, Duration patience) {
  if (!connection.endpoint().address.is_ip()) return;
  net::limit_silence(connection.socket().fd(),
                     std::max({upstream.settings().timeouts.between_bytes, patience, kLeastSilence}));
}

/// A tunnel's bytes, and a call's, may wait longer than others. Over HTTP/2 they wait for the window of their stream,
/// not for the connection's.
void extend_silence(const Exchange& exchange, const Upstream& upstream, Connection& connection) {
  if (connection.codec().is_multiplexed()) return;
  if (exchange.request.protocol.empty() && !is_call(exchange, http::Version::http11)) return;
  limit_silence(upstream, connection, upstream.settings().timeouts.tunnel);
}

Task<Result<Connection*>> connect(Exchange& exchange, const Upstream& upstream, const Endpoint& endpoint) {
  const auto connecting = net::start_connect(endpoint.state->address);
  if (!connecting) co_return std::unexpected(connecting.error());
  auto& pool = *exchange.worker.connections;
  Pending connection(&pool.open(endpoint.state, connecting->fd, identity_of(upstream)), Discard{&pool});
  if (const auto watched = connection->socket().is_watched(); !watched) co_return std::unexpected(watched.error());
  const auto until =
      std::min(exchange.attempt_deadline(), exchange.loop().now() + upstream.settings().timeouts.connect);
  if (!connecting->is_connected) {
    if (!co_await before(exchange.loop(), until, until_writable(*connection))) {
      co_return fail(ErrorCode::connect_timeout, Side::upstream, "the connection took too long", RetrySafe::yes);
    }
    if (const auto connected = net::finish_connect(connecting->fd); !connected)
      co_return std::unexpected(connected.error());
  }
  if (const auto version = upstream.settings().proxy_protocol) send_proxy_header(exchange, *version, *connection);
  if (upstream.tls()) {
    if (auto secured = co_await secure(exchange, connection->socket(), upstream.tls(), endpoint, until); !secured)
      co_return std::unexpected(secured.error());
  }
  limit_silence(upstream, *connection, Duration{});
  connection->start(version_of(upstream, connection->socket()));
  co_return connection.release();
}

ConnectionPool::Keep keep_of(const Upstream& upstream) {
  const auto& settings = upstream.settings();
  // A connection that began with a client's address isn't another client's.
  const uint32_t requests = settings.proxy_protocol ? 1 : settings.max_requests_per_connection;
  return {settings.timeouts.idle, settings.max_idle, requests, identity_of(upstream), settings.pings};
}

Task<bool> until_made(const Exchange&, ConnectionPool& pool, EndpointState& endpoint) {
  co_await pool.made(endpoint).wait();
  co_return true;
}

Task<bool> until_heard(const Exchange&, Connection& connection) {
  const Connection::Listening listening(connection);
  co_await connection.heard();
  co_return true;
}

/// May many requests share one connection? Over TLS that is known when the first has shaken hands.
bool may_share(const Upstream& upstream, EndpointState& endpoint, ConnectionPool& pool) {
  const auto protocol = upstream.settings().protocol;
  if (protocol == Protocol::http2) return true;
  return protocol == Protocol::automatic && upstream.tls() && pool.is_sharing(endpoint);
}

/// A new connection, or the one that somebody is making just now and that takes this request, too.
Task<Result<Connection*>> obtain(Exchange& exchange, const Upstream& upstream, const Endpoint& endpoint) {
  auto& pool = *exchange.worker.connections;
  auto& state = *endpoint.state;
  const auto until =
      std::min(exchange.attempt_deadline(), exchange.loop().now() + upstream.settings().timeouts.connect);
  while (may_share(upstream, state, pool) && pool.is_making(state)) {
    if (!co_await before(exchange.loop(), until, until_made(exchange, pool, state))) {
      if (!pool.is_connecting(state)) break;
      co_return fail(ErrorCode::connect_timeout, Side::upstream, "the connection took too long", RetrySafe::yes);
    }
    if (Connection* connection = pool.take(state, keep_of(upstream))) co_return connection;
  }
  std::optional<ConnectionPool::Making> making;
  if (may_share(upstream, state, pool)) making.emplace(pool, state);
  co_return co_await connect(exchange, upstream, endpoint);
}

/// A deadline of the client, or of what came before the attempt, says nothing about the endpoint.
Outcome outcome_of_connecting(Exchange& exchange, const Upstream& upstream, Time began, const Error& error) {
  if (error.side == Side::self) return Outcome::unable;
  if (error.code != ErrorCode::connect_timeout) return Outcome::refused;
  const bool had_its_time = exchange.loop().now() - began >= upstream.settings().timeouts.connect;
  return had_its_time ? Outcome::timed_out : Outcome::abandoned;
}

/// RFC 8441 section 3: whether an endpoint takes a tunnel over HTTP/2 is the first thing that it says; how many, too.
/// `failure`: why there is no connection for it. An endpoint that takes no tunnels isn't worse for that.
Task<Result<Connection*>> suit_tunnel(Exchange& exchange, const Upstream& upstream, const Endpoint& endpoint,
                                      Connection* connection, Outcome& failure) {
  const Time began = exchange.loop().now();
  while (connection->codec().is_multiplexed()) {
    const auto until =
        std::min(exchange.attempt_deadline(), exchange.loop().now() + upstream.settings().timeouts.connect);
    bool is_late = false;
    if (!connection->has_heard()) {
      is_late = !co_await before(exchange.loop(), until, until_heard(exchange, *connection));
    }
    const bool has_heard = connection->has_heard();
    if (has_heard && connection->capacity() > 0 && connection->codec().can_tunnel()) break;
    if (!has_heard || connection->requests() == 0 || !connection->codec().can_tunnel()) {
      const bool had_its_time = exchange.loop().now() - began >= upstream.settings().timeouts.connect;
      const auto late = had_its_time ? Outcome::timed_out : Outcome::abandoned;
      failure = is_late ? late : connection->is_closed() ? Outcome::broken : Outcome::abandoned;
      // Taken for this request: idle again from here on.
      if (!connection->is_closed() && connection->is_unused()) exchange.worker.connections->put(*connection);
      co_return fail(ErrorCode::protocol_error, Side::upstream, "the endpoint takes no WebSockets over HTTP/2");
    }
    // Others who waited have filled it.
    connection = exchange.worker.connections->take(*endpoint.state, keep_of(upstream));
    if (connection) continue;
    auto made = co_await obtain(exchange, upstream, endpoint);
    if (!made) {
      failure = outcome_of_connecting(exchange, upstream, began, made.error());
      co_return made;
    }
    connection = *made;
  }
  co_return connection;
}

/// The attempt is over before anything was sent.
void end_unsent(const Exchange& exchange, const Upstream& upstream, EndpointLease& lease, Attempt& record,
                Outcome outcome, std::string_view why) {
  record.outcome = outcome;
  const Time now = exchange.worker.loop.now();
  lease.report({outcome, 0, now - record.started, now});
  if (!concerns_endpoint(outcome)) return;
  lease.failed();
  const bool is_connecting = outcome == Outcome::refused || outcome == Outcome::timed_out;
  if (is_connecting && lease.state().backoff.failed(now)) upstream.state().health.cannot_connect(lease.state(), why);
  upstream.observe(lease.state(), outcome, nullptr, now - record.started, now);
}

/// RFC 9110 section 9.2.2 and RFC 9112 section 9.3.1: the endpoint closed a connection that we took for alive, or
/// says that it never looked at the request (RFC 9113 section 8.7). The same request may go again when doing it
/// twice does no harm and all of it can be had again.
bool may_send_again(const Exchange& exchange, const Upstream& upstream, const ResponseBody& response,
                    const Attempt& record, const Error& error) {
  if (!upstream.settings().retry_reused && !record.was_cut) return false;
  const bool had_died = response.died_on_reuse() && http::is_idempotent(exchange.request.method) &&
                        (error.code == ErrorCode::connection_reset || error.code == ErrorCode::incomplete_response);
  return (had_died || error.retry == RetrySafe::yes) && exchange.request_body->rewind();
}

/// A request that failed on a connection which had idled goes over no such connection again: the others may be as dead.
ConnectionPool::Reuse reuse_of(const Exchange& exchange, const EndpointState& endpoint) {
  for (size_t i = 0; i < exchange.attempts.size(); ++i) {
    const Attempt& attempt = exchange.attempts[i];
    const bool has_failed = attempt.outcome == Outcome::timed_out || attempt.outcome == Outcome::broken;
    if (attempt.endpoint_id == &endpoint && attempt.reused && has_failed) return ConnectionPool::Reuse::shared;
  }
  return ConnectionPool::Reuse::any;
}

bool may_fail_over(Exchange& exchange, const Upstream& upstream, uint32_t tried) {
  return tried < upstream.settings().connect_attempts && tried < upstream.endpoints()->all().size() &&
         exchange.loop().now() < exchange.attempt_deadline();
}

/// Nothing was sent.
void refuse(Exchange& exchange, const Upstream& upstream, const Error& error) {
  if (error.code != ErrorCode::circuit_open) return exchange.fail(error);
  fail_for(exchange, error, upstream.refuses_for(exchange.loop().now()));
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
  auto among = Candidates::all;
  std::optional<Error> failure;
  for (uint32_t tried = 1;; ++tried) {
    auto immediate = upstream.try_acquire(exchange, among);
    auto lease = immediate ? std::move(*immediate) : co_await upstream.acquire(exchange, among);
    if (!lease) co_return failure ? exchange.fail(*failure) : refuse(exchange, upstream, lease.error());
    if (failure) upstream.state().health.count_failover();
    const auto done = co_await attempt(exchange, upstream, std::move(*lease));
    if (done) co_return;
    failure = done.error().error;
    if (done.error().sent == Unanswered::Sent::perhaps || !may_fail_over(exchange, upstream, tried)) break;
    among = Candidates::untried;
  }
  exchange.fail(*failure);
}

Task<Forward::Attempted> Forward::attempt(Exchange& exchange, const Upstream& upstream, EndpointLease lease) const {
  auto& state = lease.state();
  const Endpoint& endpoint = lease.endpoint();
  const auto reuse = reuse_of(exchange, state);
  Attempt& record = exchange.attempts.add(
      {.upstream = upstream.name(), .endpoint = state.text, .endpoint_id = &state, .started = exchange.loop().now()});
  Connection* connection = exchange.worker.connections->take(state, keep_of(upstream), reuse);
  for (int again = 0;; ++again) {
    record.reused = connection != nullptr;
    if (!connection) {
      auto made = co_await obtain(exchange, upstream, endpoint);
      if (!made) {
        end_unsent(exchange, upstream, lease, record,
                   outcome_of_connecting(exchange, upstream, record.started, made.error()), made.error().detail);
        decisions::attempt_failed(exchange, record, made.error());
        co_return std::unexpected(Unanswered{made.error(), Unanswered::Sent::no});
      }
      connection = *made;
      upstream.reached(state);
    }
    record.connected = exchange.loop().now();
    decisions::endpoint(exchange, record);
    if (!exchange.request.protocol.empty() && connection->codec().is_multiplexed()) {
      Outcome failure{};
      auto suited = co_await suit_tunnel(exchange, upstream, endpoint, connection, failure);
      if (!suited) {
        end_unsent(exchange, upstream, lease, record, failure, suited.error().detail);
        decisions::attempt_failed(exchange, record, suited.error());
        co_return std::unexpected(Unanswered{suited.error(), Unanswered::Sent::no});
      }
      connection = *suited;
    }
    extend_silence(exchange, upstream, *connection);
    auto response = make_in<ResponseBody>(exchange.arena(), exchange, record, upstream, std::move(lease));
    response->send(*connection);
    while (!response->is_settled()) co_await response->changed();
    if (response->has_head()) {
      exchange.response.body = std::move(response);
      co_return Attempted();
    }
    const Error error = response->error();
    const bool may_go_again = may_send_again(exchange, upstream, *response, record, error);
    if (again == kMostAgain || record.was_cut || !may_go_again) {
      response->settle(error);
      decisions::attempt_failed(exchange, record, error);
      co_return std::unexpected(Unanswered{error, may_go_again ? Unanswered::Sent::no : Unanswered::Sent::perhaps});
    }
    lease = response->give_up();
    exchange.record.raise(Flag::LR);
    connection = nullptr;
  }
}

}  // namespace weir::upstream
