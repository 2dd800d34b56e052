#include "upstream/connecting.h"

#include "async/race.h"
#include "upstream/secure.h"

// Requests that could share a connection are lined up in the pool (ConnectionPool::Seeker) while those that are being
// made are expected to be enough; otherwise they make one more. Whenever it turns out how many requests a connection
// takes, or that there will be none, as many are called as it concerns: each looks for room, and decides again.

namespace weir::upstream {

namespace {

constexpr Duration kLeastSilence = std::chrono::seconds(10);  // TCP has to send again a few times before it gives up

Task<bool> until_writable(Connection& connection) {
  co_await connection.socket().writable();
  co_return true;
}

Task<bool> until_called(ConnectionPool::Seeker& seeker) {
  co_await seeker.called();
  co_return true;
}

Task<bool> until_heard(const Exchange&, Connection& connection) {
  const Connection::Listening listening(connection);
  co_await connection.heard();
  co_return true;
}

constexpr Error kUnsuited{ErrorCode::protocol_error, Side::upstream, "the endpoint didn't say what it takes"};

/// What the endpoint has said against the request.
std::optional<Error> refusal_of(const Exchange& exchange, Connection& connection) {
  if (!connection.has_heard()) return std::nullopt;
  if (!connection.takes(exchange.request))
    return Error{ErrorCode::head_too_large, Side::client, "the endpoint takes no head of this size"};
  if (!exchange.request.protocol.empty() && !connection.codec().can_tunnel())
    return Error{ErrorCode::protocol_error, Side::upstream, "the endpoint takes no WebSockets over HTTP/2"};
  return std::nullopt;
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

/// A health check has no client: the connection is Weir's own.
std::string proxy_header_of(const Exchange& exchange, net::ProxyVersion version) {
  if (exchange.client.peer.family() == AF_UNSPEC) return net::write_local_proxy_header(version);
  return net::write_proxy_header(version, source_of(exchange), exchange.local_address());
}

/// Before any other byte of a connection, those of TLS among them. What the fresh socket doesn't take leaves with the
/// request.
void send_proxy_header(const Exchange& exchange, net::ProxyVersion version, Connection& connection) {
  connection.tie();
  connection.wire().output().append(proxy_header_of(exchange, version));
  (void)connection.socket().send(connection.wire().output());
}

/// What the attempt and the upstream leave for a connection that is begun now.
Time connect_deadline(Exchange& exchange, const Upstream& upstream) {
  return std::min(exchange.attempt_deadline(), exchange.loop().now() + upstream.settings().timeouts.connect);
}

Error too_long() {
  return {ErrorCode::connect_timeout, Side::upstream, "the connection took too long", RetrySafe::yes};
}

/// Once the kernel has begun to connect.
Task<Result<>> establish(Exchange& exchange, const Upstream& upstream, const Endpoint& endpoint,
                         const net::Connecting& connecting, Connection& connection, Speak speak) {
  if (const auto watched = connection.socket().is_watched(); !watched) co_return watched;
  const Time until = connect_deadline(exchange, upstream);
  if (!connecting.is_connected) {
    if (!co_await before(exchange.loop(), until, until_writable(connection))) co_return std::unexpected(too_long());
    if (const auto connected = net::finish_connect(connecting.fd); !connected) co_return connected;
  }
  if (const auto version = upstream.settings().proxy_protocol) send_proxy_header(exchange, *version, connection);
  if (upstream.tls()) co_return co_await secure(exchange, connection.socket(), upstream.tls(), endpoint, until, speak);
  co_return Result<>();
}

Task<Result<Connection*>> connect(Exchange& exchange, const Upstream& upstream, const Endpoint& endpoint, Speak speak) {
  const auto connecting = net::start_connect(endpoint.state->address);
  if (!connecting) co_return std::unexpected(connecting.error());
  auto& pool = *exchange.worker.connections;
  Pending connection(&pool.open(endpoint.state, connecting->fd, identity_of(upstream)), Discard{&pool});
  const auto established = co_await establish(exchange, upstream, endpoint, *connecting, *connection, speak);
  if (!established) co_return std::unexpected(established.error());
  limit_silence(upstream, *connection, Duration{});
  co_return connection.release();
}

/// A deadline of the client, or of what came before the connection was begun, says nothing about the endpoint.
Outcome outcome_of_connecting(Exchange& exchange, const Upstream& upstream, Time began, const Error& error) {
  if (error.side == Side::self) return Outcome::unable;
  if (error.code != ErrorCode::connect_timeout) return Outcome::refused;
  const bool had_its_time = exchange.loop().now() - began >= upstream.settings().timeouts.connect;
  return had_its_time ? Outcome::timed_out : Outcome::abandoned;
}

/// May many requests share one connection? Over TLS that is known when the first has shaken hands.
bool may_share(const Upstream& upstream, EndpointState& endpoint, ConnectionPool& pool) {
  const auto protocol = upstream.settings().protocol;
  if (protocol == Protocol::http2) return true;
  return protocol == Protocol::automatic && upstream.tls() && pool.is_sharing(endpoint);
}

/// A connection of its own.
Task<Made> make(Exchange& exchange, const Upstream& upstream, const Endpoint& endpoint, Speak speak) {
  auto& pool = *exchange.worker.connections;
  const Time began = exchange.loop().now();
  std::optional<ConnectionPool::Making> making;
  if (speak == Speak::agreed && may_share(upstream, *endpoint.state, pool)) making.emplace(pool, *endpoint.state);
  auto connected = co_await connect(exchange, upstream, endpoint, speak);
  if (!connected) {
    auto outcome = outcome_of_connecting(exchange, upstream, began, connected.error());
    // An endpoint of HTTP/2 alone isn't worse for a request that wants HTTP/1.1.
    if (speak == Speak::http1 && concerns_endpoint(outcome)) outcome = Outcome::abandoned;
    if (making && concerns_endpoint(outcome)) making->failed();
    co_return std::unexpected(Unmade{connected.error(), outcome});
  }
  Connection& connection = **connected;
  if (speak == Speak::http1) connection.tie();
  const auto version = speak == Speak::http1 ? http::Version::http11 : version_of(upstream, connection.socket());
  if (making) making->made(connection, version == http::Version::http2);
  connection.start(version);
  co_return &connection;
}

}  // namespace

bool may_speak_http1(const Upstream& upstream) {
  return upstream.tls() && upstream.settings().protocol == Protocol::automatic;
}

void limit_silence(const Upstream& upstream, Connection& connection, Duration patience) {
  if (!connection.endpoint().address.is_ip()) return;
  net::limit_silence(connection.socket().fd(),
                     std::max({upstream.settings().timeouts.between_bytes, patience, kLeastSilence}));
}

ConnectionPool::Keep keep_of(const Upstream& upstream) {
  const auto& settings = upstream.settings();
  // A connection that began with a client's address isn't another client's.
  const uint32_t requests = settings.proxy_protocol ? 1 : settings.max_requests_per_connection;
  return {settings.timeouts.idle, settings.max_idle, requests, identity_of(upstream), settings.pings};
}

Task<Made> obtain(Exchange& exchange, const Upstream& upstream, const Endpoint& endpoint, Speak speak) {
  auto& pool = *exchange.worker.connections;
  auto& state = *endpoint.state;
  const Time began = exchange.loop().now();
  const Time until = connect_deadline(exchange, upstream);
  std::optional<ConnectionPool::Seeker> seeker;
  while (speak == Speak::agreed && may_share(upstream, state, pool) && pool.expects_room(state)) {
    if (seeker) seeker->wait_again();
    else seeker.emplace(pool, state);
    const bool was_called = (co_await before(exchange.loop(), until, until_called(*seeker))).has_value();
    if (Connection* connection = pool.take(state, keep_of(upstream))) co_return connection;
    if (was_called) continue;
    const bool has_time = exchange.loop().now() < exchange.attempt_deadline();
    if (has_time && !pool.has_failed_since(state, began)) break;
    co_return std::unexpected(Unmade{too_long(), Outcome::abandoned});
  }
  seeker.reset();
  co_return co_await make(exchange, upstream, endpoint, speak);
}

bool suits(const Exchange& exchange, Connection& connection) {
  const bool asks_for_tunnel = !exchange.request.protocol.empty() && connection.codec().is_multiplexed();
  return !asks_for_tunnel && connection.takes(exchange.request);
}

Task<Made> suit(Exchange& exchange, const Upstream& upstream, const Endpoint& endpoint, Connection* connection) {
  const Time began = exchange.loop().now();
  auto* const pool = exchange.worker.connections;
  Pending tied(connection->is_tied() ? connection : nullptr, Discard{pool});  // no request but this one can use it
  while (connection->codec().is_multiplexed()) {
    bool is_late = false;
    if (!connection->has_heard()) {
      const Time until = connect_deadline(exchange, upstream);
      is_late = !co_await before(exchange.loop(), until, until_heard(exchange, *connection));
    }
    const bool has_heard = connection->has_heard();
    const auto refused = connection->is_closed() ? std::nullopt : refusal_of(exchange, *connection);
    if (has_heard && connection->capacity() > 0 && !refused) break;
    if (!has_heard || connection->requests() == 0 || refused) {
      const bool had_its_time = exchange.loop().now() - began >= upstream.settings().timeouts.connect;
      const auto late = had_its_time ? Outcome::timed_out : Outcome::abandoned;
      const auto outcome = is_late ? late : connection->is_closed() ? Outcome::broken : Outcome::abandoned;
      // Taken for this request: idle again from here on.
      if (!tied && !connection->is_closed() && connection->is_unused()) pool->put(*connection);
      const bool asks_for_tunnel = !exchange.request.protocol.empty();
      const bool takes_none = has_heard && !connection->is_closed() && !connection->codec().can_tunnel();
      if (asks_for_tunnel && takes_none && may_speak_http1(upstream)) {
        tied.reset();
        upstream.count_http1_instead();
        co_return co_await obtain(exchange, upstream, endpoint, Speak::http1);
      }
      co_return std::unexpected(Unmade{refused.value_or(kUnsuited), outcome});
    }
    // Others who waited have filled it.
    tied.reset();
    connection = pool->take(*endpoint.state, keep_of(upstream));
    if (connection) continue;
    const auto made = co_await obtain(exchange, upstream, endpoint);
    if (!made) co_return made;
    connection = *made;
    if (connection->is_tied()) tied.reset(connection);
  }
  (void)tied.release();
  co_return connection;
}

}  // namespace weir::upstream
