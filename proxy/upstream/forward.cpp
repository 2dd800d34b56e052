#include "upstream/forward.h"

#include "exchange/decisions.h"
#include "exchange/grpc_call.h"
#include "upstream/connecting.h"

namespace weir::upstream {

namespace {

constexpr int kMostAgain = 3;  // times that one request is sent again before its endpoint has looked at it

/// A tunnel's bytes, and a call's, may wait longer than others. Over HTTP/2 they wait for the window of their stream,
/// not for the connection's.
void extend_silence(const Exchange& exchange, const Upstream& upstream, Connection& connection) {
  if (connection.codec().is_multiplexed()) return;
  if (exchange.request.protocol.empty() && !is_call(exchange, http::Version::http11)) return;
  limit_silence(upstream, connection, upstream.settings().timeouts.tunnel);
}

bool may_fail_over(Exchange& exchange, const Upstream& upstream, uint32_t tried) {
  return tried < upstream.settings().connect_attempts && exchange.loop().now() < exchange.attempt_deadline() &&
         upstream.has_untried(exchange);
}

/// The attempt is over before anything was sent.
void end_unsent(Exchange& exchange, const Upstream& upstream, EndpointLease& lease, Attempt& record, uint32_t tried,
                const Unmade& why) {
  const Outcome outcome = record.outcome = why.outcome;
  if (concerns_endpoint(outcome)) lease.failed();
  if (may_fail_over(exchange, upstream, tried)) lease.excuse_upstream();
  else if (concerns_endpoint(outcome)) upstream.spare_own_circuit(lease, exchange);
  decisions::attempt_failed(exchange, record, why.error);
  const Time now = exchange.worker.loop.now();
  lease.report({outcome, 0, now - record.started, now});
  if (!concerns_endpoint(outcome)) return;
  if (outcome == Outcome::broken) upstream.ended_unanswered(lease.state(), why.error, now);
  const bool is_connecting = outcome == Outcome::refused || outcome == Outcome::timed_out;
  if (is_connecting && lease.state().backoff.failed(now))
    upstream.state().health.cannot_connect(lease.state(), why.error.detail);
  upstream.observe(lease.state(), outcome, nullptr, now - record.started, now);
}

/// RFC 9110 section 9.2.2 and RFC 9112 section 9.3.1: the endpoint closed a connection that we took for alive, or
/// says that it never looked at the request (RFC 9113 section 8.7), or wants it over HTTP/1.1. The same request may go
/// again when doing it twice does no harm and all of it can be had again.
bool may_send_again(const Exchange& exchange, const Upstream& upstream, const ResponseBody& response,
                    const Attempt& record, const Error& error) {
  if (error.retry == RetrySafe::over_http1 && !may_speak_http1(upstream)) return false;
  const bool is_asked_for = record.was_cut || error.retry == RetrySafe::over_http1;
  if (!upstream.settings().retry_reused && !is_asked_for) return false;
  const bool had_died = response.died_on_reuse() && http::is_idempotent(exchange.request.method) &&
                        (error.code == ErrorCode::connection_reset || error.code == ErrorCode::incomplete_response);
  return (had_died || error.retry != RetrySafe::no) && exchange.request_body->rewind();
}

/// The endpoint ended a fresh connection without a byte of an answer: perhaps it had begun with the request, so that
/// another endpoint gets it only when doing it twice does no harm. A request that ends each connection by itself, since
/// servers die of it, gets no further than `connect_attempts` endpoints by that, however often a filter tries it again.
bool may_send_elsewhere(const Exchange& exchange, const Upstream& upstream, uint32_t unanswered) {
  const auto& settings = upstream.settings();
  return settings.retry_reused && unanswered + 1 < settings.connect_attempts &&
         http::is_idempotent(exchange.request.method) && exchange.request_body->rewind();
}

/// Attempts at this upstream before the last one whose endpoints took the request and gave no answer.
uint32_t count_unanswered(const Exchange& exchange, const Upstream& upstream) {
  uint32_t count = 0;
  for (size_t i = 0; i + 1 < exchange.attempts.size(); ++i) {
    const Attempt& attempt = exchange.attempts[i];
    count += attempt.upstream == upstream.name() && attempt.sent > Time{} && attempt.status == 0;
  }
  return count;
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
    const auto done = co_await attempt(exchange, upstream, std::move(*lease), tried);
    if (done) co_return;
    failure = done.error().error;
    if (done.error().sent == Unanswered::Sent::perhaps || !may_fail_over(exchange, upstream, tried)) break;
    among = Candidates::untried;
  }
  exchange.fail(*failure);
}

Task<Forward::Attempted> Forward::attempt(Exchange& exchange, const Upstream& upstream, EndpointLease lease,
                                          uint32_t tried) const {
  auto& state = lease.state();
  const Endpoint& endpoint = lease.endpoint();
  const auto reuse = reuse_of(exchange, state);
  Attempt& record = exchange.attempts.add(
      {.upstream = upstream.name(), .endpoint = state.text, .endpoint_id = &state, .started = exchange.loop().now()});
  Connection* connection = exchange.worker.connections->take(state, keep_of(upstream), reuse);
  auto speak = Speak::agreed;
  for (int again = 0;; ++again) {
    record.reused = connection != nullptr;
    if (!connection) {
      const auto made = co_await obtain(exchange, upstream, endpoint, speak);
      if (!made) {
        end_unsent(exchange, upstream, lease, record, tried, made.error());
        co_return std::unexpected(Unanswered{made.error().error, Unanswered::Sent::no});
      }
      connection = *made;
      upstream.connected(state);
    }
    record.connected = exchange.loop().now();
    decisions::endpoint(exchange, record);
    if (!suits(exchange, *connection)) {
      const bool was_multiplexed = connection->codec().is_multiplexed();
      const auto suited = co_await suit(exchange, upstream, endpoint, connection);
      if (!suited) {
        end_unsent(exchange, upstream, lease, record, tried, suited.error());
        co_return std::unexpected(Unanswered{suited.error().error, Unanswered::Sent::no});
      }
      connection = *suited;
      if (was_multiplexed && !connection->codec().is_multiplexed()) speak = Speak::http1;
      record.reused = connection->requests() > 0;
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
    // Whether a request can be served over HTTP/1.1 alone, and how that ends, is the affair of its URL.
    if (speak == Speak::http1 || error.retry == RetrySafe::over_http1) response->excuse_endpoint();
    const bool may_go_again = may_send_again(exchange, upstream, *response, record, error);
    const bool was_unanswered = response->ended_unanswered(error);
    const uint32_t unanswered = count_unanswered(exchange, upstream);
    if (was_unanswered) {
      upstream.ended_unanswered(state, error, exchange.loop().now());
      // Of the first endpoint it may be the fault; where several do the same, it is the request's.
      if (unanswered > 0) response->excuse_endpoint();
    }
    if (again == kMostAgain || record.was_cut || !may_go_again) {
      const bool may_go_on = may_go_again || (was_unanswered && may_send_elsewhere(exchange, upstream, unanswered));
      if (may_go_on && may_fail_over(exchange, upstream, tried)) response->excuse_upstream();
      response->settle(error);
      decisions::attempt_failed(exchange, record, error);
      co_return std::unexpected(Unanswered{error, may_go_on ? Unanswered::Sent::no : Unanswered::Sent::perhaps});
    }
    if (error.retry == RetrySafe::over_http1) {
      speak = Speak::http1;
      upstream.count_http1_instead();
    }
    const bool is_alive = !connection->is_closed();
    lease = response->give_up();
    exchange.record.raise(Flag::LR);
    // A connection whose stream was refused has room for another, mostly.
    connection = is_alive && speak == Speak::agreed
                     ? exchange.worker.connections->take(state, keep_of(upstream), ConnectionPool::Reuse::shared)
                     : nullptr;
  }
}

}  // namespace weir::upstream
