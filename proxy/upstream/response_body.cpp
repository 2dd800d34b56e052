#include "upstream/response_body.h"

#include "exchange/backlog.h"
#include "exchange/grpc_call.h"
#include "http/hop_by_hop.h"
#include "upstream/connection_pool.h"

namespace weir::upstream {

namespace {

constexpr uint16_t kRequestTimeout = 408;
constexpr size_t kFirstWindow = Connection::kStreamWindow;
constexpr Duration kParting = std::chrono::milliseconds(500);
constexpr int kGoodPart = 4;  // of the time since a request was whole: so long a wait before matters
constexpr Duration kNoticed = std::chrono::milliseconds(500);  // a client that keeps the endpoint waiting for so long
constexpr Duration kSkew = std::chrono::milliseconds(20);      // between Weir's end of a call and the endpoint's
constexpr Duration kLook = std::chrono::milliseconds(250);     // with `on_down: cut`

Time least(Time a, Time b) { return a < b ? a : b; }

Time attempt_deadline(const Exchange& exchange, const Attempt& record, const Timeouts& timeouts) {
  return timeouts.request > Duration{} ? least(exchange.deadline, record.started + timeouts.request)
                                       : exchange.deadline;
}

Outcome outcome_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::connect_timeout:
    case ErrorCode::response_timeout:
    case ErrorCode::read_timeout:
    case ErrorCode::total_timeout: return Outcome::timed_out;
    case ErrorCode::connect_refused:
    case ErrorCode::tls_error:
    case ErrorCode::tls_certificate_error: return Outcome::refused;
    default: return error.side == Side::upstream ? Outcome::broken : Outcome::abandoned;
  }
}

bool is_gateway_error(uint16_t status) { return status >= 502 && status <= 504; }

}  // namespace

ResponseBody::ResponseBody(Exchange& exchange, Attempt& record, const Upstream& upstream, EndpointLease lease)
    : Body(exchange.arena()),
      exchange_(exchange),
      record_(record),
      upstream_(upstream),
      lease_(std::move(lease)),
      pipe_(exchange.loop(), exchange.worker.blocks),
      deadline_(attempt_deadline(exchange, record, upstream.settings().timeouts)),
      answer_by_(exchange.answer_by),
      alarm_(exchange.loop(), *this),
      looks_(exchange.loop(), *this) {}

/// Whoever gives it up, a head that tells of a failure has told it.
ResponseBody::~ResponseBody() { end(record_.status >= 500 ? Outcome::answered : Outcome::abandoned); }

void ResponseBody::send(Connection& connection) {
  connection_ = &connection;
  waits_since_ = exchange_.loop().now();
  record_.sent = {};
  connection.lend(*this);
  is_call_ = is_call(exchange_, connection.codec().is_multiplexed() ? http::Version::http2 : http::Version::http11);
  if (is_call_ && exchange_.record.call_stage == CallStage::none) exchange_.record.call_stage = CallStage::sent;
  limit_by(exchange_.backlog());
  const auto& rule = upstream_.settings().host;
  auto& request = exchange_.request;
  // An endpoint that heeds it would end what Weir doesn't.
  if (request.headers.has(http::Field::grpc_timeout) && !heeds_grpc_timeout(exchange_))
    request.headers.remove(http::Field::grpc_timeout);
  pass_expectation();
  const auto asked = request.authority;
  const auto scheme = std::exchange(request.scheme, connection.socket().tls() ? "https" : "http");
  if (rule.from == HostRule::From::endpoint) request.authority = lease_.endpoint().authority;
  if (rule.from == HostRule::From::fixed) request.authority = rule.name;
  stream_ = connection.codec().send_request(request, exchange_.request_body->size());
  connection.asked(*this);
  request.authority = asked;
  request.scheme = scheme;
  if (exchange_.has_reader()) widen();
  const auto& check = upstream_.settings().health_check;
  if (check && check->on_down == OnDown::cut) looks_.start(kLook);
  if (send_at_once()) return;
  upload_ = upload();
  if (upload_.start()) return;
  if (!exchange_.request.protocol.empty()) return await_head();  // a tunnel's request is out with its head
  if (is_call_) return arm(upstream_.settings().timeouts.tunnel);
  if (has_asked_) return arm(upstream_.settings().timeouts.response);
  watch_deadline();
}

/// A client that waits for a 100 waits for the endpoint's, if the route says so and nobody has read the body before.
void ResponseBody::pass_expectation() {
  if (!exchange_.route || exchange_.route->expect != Expect::forward) return;
  auto& request = exchange_.request;
  has_asked_ = exchange_.expectation != Expectation::none;
  if (!has_asked_) {
    request.headers.remove(http::Field::expect);  // of an attempt before this one
    return;
  }
  exchange_.expectation = Expectation::forwarded;
  request.headers.set("Expect", "100-continue", http::Field::expect);
}

/// Lets an HTTP/2 endpoint send further ahead than its first window, as far as the client's backlog has room.
void ResponseBody::widen() {
  if (granted_ > 0 || !connection_->codec().is_multiplexed()) return;
  constexpr size_t kMost = 256 * 1024 - kFirstWindow;
  const size_t more = backlog_ ? std::min(backlog_->room_to_promise() / 2, kMost) : kMost;
  if (more < kFirstWindow) return;
  granted_ = more;
  if (backlog_) backlog_->promise(more);
  connection_->codec().widen(stream_, static_cast<uint32_t>(kFirstWindow + more));
}

void ResponseBody::limit_by(Backlog* backlog) {
  pipe_.limit_by(backlog);
  if (backlog_) backlog_->take_back(granted_);
  backlog_ = backlog;
  if (backlog_) backlog_->promise(granted_);
}

/// Without a body a request is one write, nearly always. False: it has one, or the socket doesn't take all of it now.
bool ResponseBody::send_at_once() {
  auto& wire = connection_->wire();
  const bool has_body = exchange_.request_body->size().kind != http::BodySize::Kind::none;
  if (has_body || !exchange_.request.protocol.empty() || wire.codec().is_multiplexed()) return false;
  const auto written = wire.write();
  if (written && !*written) return false;
  await_head();  // even if the connection broke: its answer, or its end, may be on the way
  return true;
}

Task<> ResponseBody::upload() {
  const Exchange::Upload upload(exchange_);
  const auto& timeouts = upstream_.settings().timeouts;
  const bool asks_for_tunnel = !exchange_.request.protocol.empty();
  const auto patience = is_call_ || asks_for_tunnel ? timeouts.tunnel : timeouts.between_bytes;
  Result<> result;
  if (asks_for_tunnel) result = co_await until_granted();
  if (result) {
    result = co_await send_body(*exchange_.request_body, connection_->wire(), stream_, patience, sent_, &upload_waits_);
  }
  if (result) {
    await_head();
  } else if (!connection_->wire().is_broken()) {
    // An endpoint whose response isn't read, or that is busy with the upload of another client on this connection, may
    // take no more of the request.
    const bool is_clogged = connection_->is_clogged() || is_reader_behind();
    const bool is_endpoints = result.error().side == Side::upstream && !is_clogged;
    fail(result.error(), is_endpoints ? Turn::endpoint : Turn::client);
  } else if (!has_head_) {
    arm(timeouts.response);  // its answer, or its end, may be on the way (RFC 9112 section 9.5)
  }
}

/// What goes into a tunnel waits for it.
Task<Result<>> ResponseBody::until_granted() {
  const auto patience = upstream_.settings().timeouts.between_bytes;
  auto sent = co_await connection_->wire().flush(*exchange_.request_body, stream_, patience);
  while (sent && !is_tunnel()) co_await pipe_.changed();
  co_return sent;
}

/// The request is out: from here the endpoint has its time to answer.
void ResponseBody::await_head() {
  record_.sent = exchange_.loop().now();
  has_asked_ = false;
  const auto& timeouts = upstream_.settings().timeouts;
  if (!has_head_ && !pipe_.is_settled()) arm(is_call_ ? timeouts.tunnel : timeouts.response);
}

void ResponseBody::arm(Duration patience) {
  sent_when_armed_ = sent_;
  waits_since_ = exchange_.loop().now();
  patience_over_ = exchange_.loop().now() + patience;
  alarm_.start_at(least(deadline(), patience_over_));
}

/// What the attempt has at most: for its response's head, then for the whole.
Time ResponseBody::deadline() const { return has_head_ ? deadline_ : least(deadline_, answer_by_); }

/// How long the endpoint may send nothing, once it has begun to answer.
Duration ResponseBody::patience() const {
  const auto& timeouts = upstream_.settings().timeouts;
  return may_be_silent() ? timeouts.tunnel : timeouts.between_bytes;
}

/// Nothing is waited for: only the deadline counts.
void ResponseBody::watch_deadline() {
  alarm_.stop();
  patience_over_ = Time::max();
  if (deadline() != Time::max()) alarm_.start_at(deadline());
}

/// All that has come of the request's body is out, and it isn't all.
bool ResponseBody::awaits_client() const {
  const bool uploads = upload_ && !upload_.is_done() && exchange_.request.protocol.empty();
  if (!uploads || !connection_) return false;
  auto& wire = connection_->wire();
  return wire.output().is_empty() && wire.codec().held_back(stream_) == 0;
}

/// Since when nothing but the endpoint was waited for.
Time ResponseBody::turn_began() const {
  const bool is_all_head = exchange_.request_body->size().is_empty() || !exchange_.request.protocol.empty();
  if (is_all_head) return record_.started;
  if (record_.sent != Time{}) return record_.sent;
  return awaits_client() ? exchange_.loop().now() : std::max(record_.started, upload_waits_.last());
}

/// Whether the endpoint had nearly all of that time to itself: what a connection, a queue or an upload took isn't its.
bool ResponseBody::has_had(Duration allowed) const {
  return allowed > Duration{} && exchange_.loop().now() - turn_began() >= allowed * 9 / 10;
}

bool ResponseBody::is_reader_behind() const {
  const Time now = exchange_.loop().now();
  const bool is_behind = unread_since_ != Time::max() && now - unread_since_ >= kNoticed;
  return is_behind || (was_behind_ != Time::min() && now - was_behind_ < kNoticed);
}

/// A reset that the endpoint's socket had before the reader paused is only seen when it goes on.
void ResponseBody::caught_up() {
  if (is_reader_behind()) was_behind_ = exchange_.loop().now();
  unread_since_ = Time::max();
}

/// The endpoint counts a call's time as Weir does.
bool ResponseBody::is_clients_time_over() const {
  if (exchange_.deadline == Time::max()) return false;
  const Time started = exchange_.record.started;
  const Duration route = exchange_.route ? exchange_.route->timeout : Duration{};
  const bool is_clients = route == Duration{} || exchange_.deadline < started + route;
  const Duration skew = std::max(kSkew, (exchange_.deadline - started) / 10);
  return is_clients && exchange_.loop().now() + skew >= exchange_.deadline;
}

/// The client takes, or took, a good part of the time that the endpoint has had for the request, which may be all that
/// the endpoint allows for reading and working. While it waits for a 100 that doesn't come it keeps the endpoint
/// waiting, too: an endpoint may know no Expect.
bool ResponseBody::is_client_slow() const {
  const Time now = exchange_.loop().now();
  const Duration waited = upload_waits_.total(now) - waited_for_100_;
  const bool is_whole = record_.sent != Time{};
  return waited >= kNoticed && (!is_whole || waited > (now - record_.sent) / kGoodPart);
}

/// Whoever keeps an endpoint waiting, with the request or with the response, provokes the endpoint's own timeouts. An
/// endpoint that breaks off earlier does so by itself, and what it says is its own anyway.
Turn ResponseBody::turn_at_break(const Error& error) const {
  if (error.side != Side::upstream || is_tunnel()) return Turn::neither;
  if (error.code == ErrorCode::protocol_error) return Turn::endpoint;
  if (is_clients_time_over() || is_reader_behind()) return Turn::client;
  return is_client_slow() ? Turn::client : Turn::endpoint;
}

/// An endpoint gives up on a client that keeps it waiting by a status, too: its own timeout's, or that of a proxy or a
/// server before it. Other statuses are the endpoint's own.
Turn ResponseBody::turn_at_answer() const {
  if (!is_clients_time_over() && !is_client_slow()) return Turn::endpoint;
  const auto& head = exchange_.response.head;
  return meant_status(head) >= 500 || head.status == 408 ? Turn::client : Turn::endpoint;
}

/// A client may ask for less time than the configuration gives, and use it up itself, as may a queue or an earlier
/// attempt; and a client may read for longer than the whole may take.
Turn ResponseBody::turn_at_deadline() const {
  if (awaits_client()) return Turn::client;
  if (has_head_) return Turn::neither;
  if (exchange_.loop().now() < deadline_) {
    const Duration given =
        exchange_.answer_within > Duration{} ? exchange_.answer_within : answer_by_ - record_.started;
    return has_had(given) ? Turn::endpoint : Turn::neither;
  }
  const bool has_had_all =
      has_had(upstream_.settings().timeouts.request) || (exchange_.route && has_had(exchange_.route->timeout));
  return has_had_all ? Turn::endpoint : Turn::neither;
}

void ResponseBody::fail(const Error& error, Turn turn) {
  if (pipe_.is_settled()) return;
  turn_ = turn;
  pipe_.fail(error);
}

/// A request waits for its endpoint when nothing has moved since the last look, and neither the client's bytes nor its
/// reading are what is missing.
void ResponseBody::look() {
  if (pipe_.is_settled()) return;
  const uint64_t moved = moves_ + sent_;
  const bool stands = std::exchange(moved_before_, moved) == moved;
  const bool is_down = lease_.state().health.load(std::memory_order_relaxed) == Health::down;
  if (is_down && stands && !pipe_.has_chunk() && !lacks_upload() && !has_parted_) return cut();
  looks_.start(kLook);
}

void ResponseBody::cut() {
  upstream_.state()
      .health.metrics()
      .counter("requests_cut", "Requests that ended because their endpoint went down", {{"upstream", upstream_.name()}})
      .add();
  if (is_tunnel() && exchange_.part()) {
    has_parted_ = true;
    exchange_.record.raise(Flag::UC);
    return arm(kParting);
  }
  record_.was_cut = true;
  const bool may_go_elsewhere = !has_head_ && http::is_idempotent(exchange_.request.method);
  fail({ErrorCode::connection_reset, Side::upstream, "the endpoint went down while the request waited for it",
        may_go_elsewhere ? RetrySafe::yes : RetrySafe::no},
       Turn::endpoint);
}

void ResponseBody::expired() {
  const Time now = exchange_.loop().now();
  const bool has_not_waited = has_asked_ && exchange_.expectation != Expectation::forwarded;
  if (has_not_waited && now < deadline() && !has_head_) {
    has_asked_ = false;
    return watch_deadline();
  }
  const auto self_made = awaits_client() ? exchange_.request_body->overdue() : std::nullopt;
  if (self_made) return fail(*self_made, Turn::neither);
  if (lacks_upload() && !has_head_ && now >= deadline()) {
    return fail({ErrorCode::request_timeout, Side::client, "the request body took all the time"}, Turn::client);
  }
  if (now >= deadline_) {
    return fail({ErrorCode::total_timeout, Side::upstream, "the time for the whole request ran out"},
                turn_at_deadline());
  }
  const bool has_time = has_head_ || now < answer_by_;
  if (has_time && may_be_silent() && sent_ != sent_when_armed_ && !has_parted_) return arm(patience());
  if (is_tunnel() && !has_parted_ && exchange_.part()) {
    has_parted_ = true;
    exchange_.record.raise(Flag::UT);
    return arm(kParting);
  }
  if (has_parted_) {
    return fail({ErrorCode::read_timeout, Side::self, "an end of the tunnel didn't leave"}, Turn::neither);
  }
  if (has_head_ && lacks_upload()) {
    return fail({ErrorCode::request_timeout, Side::client, "the rest of the request body didn't come"}, Turn::client);
  }
  // Two ends that have nothing to say to each other are no failure of the endpoint's.
  const Side whose = is_tunnel() ? Side::self : Side::upstream;
  const Turn turn = may_be_silent() ? Turn::neither : Turn::endpoint;
  if (has_head_) return fail({ErrorCode::read_timeout, whose, "the endpoint sent nothing for too long"}, turn);
  // Also while the client waits for a 100: an endpoint that knows no Expect waits for the body.
  const Turn whose_time = awaits_client() ? Turn::client : Turn::endpoint;
  fail({ErrorCode::response_timeout, Side::upstream, "the endpoint didn't answer in time"},
       now < patience_over_ ? turn_at_deadline() : whose_time);
}

bool ResponseBody::has_timed_out() const {
  const auto& error = pipe_.error();
  return error && turn_ == Turn::endpoint && outcome_of(*error) == Outcome::timed_out;
}

bool ResponseBody::died_on_reuse() const { return record_.reused && connection_ && !has_answered_ && !was_reset_; }

bool ResponseBody::ended_unanswered(const Error& error) const {
  const bool has_ended = error.code == ErrorCode::connection_reset || error.code == ErrorCode::incomplete_response;
  const bool is_fresh = !record_.reused && !has_answered_ && !was_reset_;
  return has_ended && is_fresh && turn_ == Turn::endpoint && connection_ && connection_->is_closed();
}

http::ResponseHead& ResponseBody::begin_head() {
  has_answered_ = true;
  exchange_.response.head = http::ResponseHead(exchange_.arena());
  return exchange_.response.head;
}

void ResponseBody::interim() {
  auto& head = exchange_.response.head;
  if (head.status == 100) {  // between Weir and the endpoint, unless the client waits for the endpoint's
    if (exchange_.expectation != Expectation::forwarded) return;
    exchange_.expectation = Expectation::none;
    has_asked_ = false;
    waited_for_100_ = upload_waits_.total(exchange_.loop().now());
    watch_deadline();
  }
  http::remove_hop_by_hop(head.headers);
  exchange_.inform(head);
}

void ResponseBody::answered(http::BodySize size) {
  size_ = size;
  has_head_ = true;
  is_call_ = is_call_ && is_grpc(exchange_.response.head.headers);
  if (is_call_) exchange_.record.call_stage = CallStage::answered;
  if (is_tunnel()) {
    deadline_ = Time::max();
  } else if (!exchange_.request.protocol.empty()) {
    upload_.reset();  // the tunnel wasn't granted: the request has no body
  }
  watch_deadline();
  record_.status = exchange_.response.head.status;
  record_.answered = exchange_.loop().now();
  record_.has_crossed = record_.status == kRequestTimeout && connection_->has_crossed(sent_);
  // An answer before the end of the request says nothing about how long the endpoint takes.
  const bool is_whole = record_.sent != Time{};
  const auto took = is_whole ? std::optional(record_.answer_time()) : std::nullopt;
  if (took) lease_.state().usual_latency.observe(*took);
  record_.is_clients_failure = turn_at_answer() == Turn::client;
  const Outcome outcome = record_.is_clients_failure ? Outcome::abandoned : Outcome::answered;
  if (record_.status >= 400 && !record_.is_clients_failure) [[unlikely]]
    answered_badly();
  upstream_.responded(lease_.state());
  lease_.report({outcome, record_.status, took.value_or(Duration{}), record_.answered});
  upstream_.observe(lease_.state(), outcome, &exchange_.response.head, took, record_.answered);
  http::remove_hop_by_hop(exchange_.response.head.headers);
  pipe_.touch();
}

void ResponseBody::answered_badly() {
  // As a circuit counts without `statuses` of its own.
  if (is_gateway_error(record_.status)) lease_.failed();
  upstream_.spare_own_circuit(lease_, exchange_);
}

Task<Result<Chunk>> ResponseBody::read() {
  if (!pipe_.has_chunk()) {
    caught_up();
    connection_->taken(*this, 0);
    if (received_ >= kFirstWindow / 2) widen();  // the backlog may have room by now
    if (!has_parted_) arm(patience());
    while (!pipe_.has_chunk()) co_await pipe_.changed();
    if (!has_parted_) watch_deadline();
  }
  auto chunk = pipe_.take();
  if (chunk && !chunk->is_end) {
    connection_->taken(*this, chunk->data.size());
  } else if (chunk) {
    end(Outcome::answered);
  } else {
    settle(chunk.error());
  }
  co_return chunk;
}

void ResponseBody::allow_splice() {
  if (connection_ && connection_->may_splice(stream_)) pipe_.use(exchange_.worker.splice_pipes.take());
}

void ResponseBody::settle(const Error& error) {
  const Outcome outcome = turn_ == Turn::endpoint ? outcome_of(error) : Outcome::abandoned;
  if (concerns_endpoint(outcome)) {
    if (!has_head_ || !is_gateway_error(record_.status)) lease_.failed();
    upstream_.spare_own_circuit(lease_, exchange_);
    const Time now = exchange_.loop().now();
    if (has_head_) upstream_.observe_break(lease_.state(), outcome, record_.status, now);
    else upstream_.observe(lease_.state(), outcome, nullptr, now - turn_began(), now);
  }
  report(outcome);
  end(outcome);
}

void ResponseBody::report(Outcome outcome) {
  const Time now = exchange_.loop().now();
  lease_.report({outcome, record_.status, now - turn_began(), now});
}

EndpointLease ResponseBody::give_up() {
  EndpointLease lease = std::move(lease_);
  is_over_ = true;
  release();
  return lease;
}

void ResponseBody::end(Outcome outcome) {
  if (std::exchange(is_over_, true)) return;
  record_.outcome = outcome;
  release();
}

/// Nothing is wanted of the connection any more.
void ResponseBody::release() {
  alarm_.stop();
  looks_.stop();
  if (awaits_client()) waits_since_ = exchange_.loop().now();
  const bool upload_is_over = !upload_ || upload_.is_done();
  upload_.reset();  // it writes to the connection: it must not outlive the loan
  if (backlog_) backlog_->take_back(granted_);
  granted_ = 0;
  if (auto* connection = std::exchange(connection_, nullptr)) {
    connection->give_back(*this, upload_is_over && pipe_.is_finished());
  }
  lease_ = EndpointLease();
}

}  // namespace weir::upstream
