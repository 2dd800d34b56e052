#include "downstream/connection.h"

#include "base/log.h"
#include "downstream/admission.h"
#include "downstream/arrival.h"
#include "exchange/error_response.h"
#include "exchange/wire.h"

// How a connection lives: `serve` waits for bytes and feeds the codec; the codec's events make a Stream and fill
// its pipe; the stream's turn on the ready list begins its task (`run`); when that has ended, its next turn
// destroys it and lets the next pipelined request in. Nothing is destroyed under a running coroutine: an end is
// always a turn of its own, and the connection itself goes at the end of the tick.

namespace weir::downstream {

namespace {

constexpr size_t kMostStashed = 16 * 1024;
constexpr Duration kPaceStep = std::chrono::seconds(1);
constexpr Duration kRefusedPatience = std::chrono::seconds(5);  // for the request that is told why
constexpr Duration kLinger = std::chrono::seconds(2);
constexpr Error kClientGone{ErrorCode::client_gone, Side::client, "the client's connection broke"};
constexpr Error kClientStalled{ErrorCode::client_gone, Side::client,
                               "the client took nothing of its response for too long"};

}  // namespace

Connection::Connection(Gateway& gateway, int fd, const net::Address& peer, std::optional<ErrorCode> refusal,
                       bool counted_by_client)
    : gateway_(gateway),
      socket_(gateway.worker().loop, fd),
      output_(gateway.worker().blocks),
      codec_(http::Role::server, gateway.serving()->policy->limits.head, *this, output_),
      peer_(peer),
      refusal_(refusal),
      counted_by_client_(counted_by_client),
      resume_(gateway.worker().loop),
      alarm_(gateway.worker().loop, *this) {
  gateway_.observer().connection_opened();
  alarm_.start(refusal_ ? kRefusedPatience : gateway_.serving()->policy->timeouts.idle);
  task_ = serve();
  task_.start();
}

Connection::~Connection() {
  if (stream_) bury(*stream_);
  if (refusal_) {
    gateway_.refused_closed();
  } else {
    gateway_.clients().remove(peer_, counted_by_client_);
  }
  gateway_.observer().connection_closed();
}

// Reading.

Task<> Connection::serve() {
  if (gateway_.tls() && !co_await arrive()) co_return close();
  while (state_ != State::closed) {
    if (must_pause()) {
      co_await resume_.wait();
      continue;
    }
    co_await socket_.readable();
    if (state_ != State::closed) receive();
  }
}

/// False when the client and we can't come to terms: nothing may be said then.
Task<bool> Connection::arrive() {
  auto& loop = gateway_.worker().loop;
  const auto welcomed = co_await welcome(loop, socket_, gateway_.tls());
  if (welcomed) {
    if (!refusal_) alarm_.start(gateway_.serving()->policy->timeouts.idle);
    co_return true;
  }
  gateway_.observer().handshake_failed(welcomed.error().fault);
  co_return false;
}

bool Connection::must_pause() const {
  if (state_ == State::deaf) return true;
  return stream_ && (stream_->body.is_full() || (stash_ && stash_->bytes() >= kMostStashed));
}

void Connection::receive() {
  BlockRef block = gateway_.worker().read_block();  // shared by all connections: recycled when nobody kept a slice
  const auto transfer = socket_.receive(block.space());
  switch (transfer.state) {
    case net::Transfer::State::blocked: return;
    case net::Transfer::State::ended: return client_finished();
    case net::Transfer::State::failed: return state_ == State::lingering ? close() : abort(Flag::DC);
    case net::Transfer::State::moved: break;
  }
  if (state_ != State::open) return;  // a request that was refused may still be on its way
  const std::string_view bytes(block->bytes, transfer.bytes);
  const Slice slice(std::move(block), bytes);
  if (!has_stash()) {
    feed(slice);
  } else {
    stash(slice);
    feed_stash();
  }
}

void Connection::feed(Slice bytes) {
  while (!bytes.empty()) {
    const auto used = codec_.feed(bytes);
    if (!used) return refuse(used.error());
    if (*used == 0) return stash(bytes);
    bytes.remove_prefix(*used);
  }
  watch_progress();
}

void Connection::stash(const Slice& bytes) {
  if (!stash_) stash_ = std::make_unique<Output>(gateway_.worker().blocks);
  stash_->append(bytes.view());
}

void Connection::feed_stash() {
  while (has_stash()) {
    const auto used = codec_.feed(stash_->front());
    if (!used) return refuse(used.error());
    if (*used == 0) break;
    stash_->consume(*used);
  }
  if (!has_stash()) stash_.reset();
  watch_progress();
}

/// Arms the deadline that fits what the connection waits for now.
void Connection::watch_progress() {
  if (!stream_) return;
  const auto& timeouts = stream_->serving->policy->timeouts;
  if (stream_->phase == Stream::Phase::head) {
    if (!alarm_.is_running()) alarm_.start(timeouts.head);  // absolute: from the head's first byte
  } else if (!stream_->body.is_settled()) {
    if (!alarm_.is_running()) alarm_.start(kPaceStep);
  }
}

void Connection::client_finished() {
  if (state_ == State::lingering || !stream_) return close();
  if (stream_->phase == Stream::Phase::answering && stream_->body.is_finished()) {
    state_ = State::deaf;  // it has all it asked for under way
    return;
  }
  abort(Flag::DC);
}

/// The bytes break a rule. A request in hand gets its answer; nothing after it is looked at.
void Connection::refuse(Error error) {
  state_ = State::deaf;
  alarm_.stop();
  if (stream_ && stream_->phase != Stream::Phase::head) {
    stream_->body.fail(error);
    return;
  }
  if (!stream_) begin_request(0);
  stream_->exchange.fail(error);
  begin(*stream_);
}

void Connection::on_alarm() {
  if (state_ == State::lingering || !stream_) return close();
  if (stream_->phase == Stream::Phase::head) {
    return refuse({ErrorCode::request_timeout, Side::client, "the request head took too long"});
  }
  check_pace();
}

void Connection::check_pace() {
  if (stream_->body.is_settled()) return;
  if (!stream_->body.is_full() && !stream_->wants_continue) stream_->pace.wait(kPaceStep);
  const auto& policy = *stream_->serving->policy;
  if (!stream_->pace.is_too_slow(policy.limits.body_rate, policy.timeouts.body)) return alarm_.start(kPaceStep);
  state_ = State::deaf;
  stream_->body.fail({ErrorCode::request_timeout, Side::client, "the request body came too slowly"});
  stream_->exchange.record.raise(Flag::DT);
  if (stream_->phase == Stream::Phase::answering) abort(Flag::DT);
}

// Codec events.

http::RequestHead& Connection::begin_request(http::StreamId id) {
  stream_ = gateway_.streams().make(*this, gateway_.worker(), gateway_.serving(), id);
  auto& exchange = stream_->exchange;
  exchange.record.started = gateway_.worker().loop.now();
  std::array<char, 64> ip;
  exchange.client.peer = peer_;
  exchange.client.ip = exchange.arena().copy(peer_.ip(ip));
  exchange.client.listener = gateway_.listener();
  exchange.client.local_port = gateway_.port();
  if (const auto* tls = socket_.tls()) introduce(exchange, tls->facts());
  stream_->serving->observer->exchange_started();
  alarm_.stop();
  return exchange.request;
}

void Connection::on_request(http::StreamId, http::BodySize body) {
  alarm_.stop();
  auto& exchange = stream_->exchange;
  exchange.record.head_received = gateway_.worker().loop.now();
  exchange.request_body = make_in<RequestBody>(exchange.arena(), exchange.arena(), *stream_, body);
  if (refusal_) exchange.fail({*refusal_, Side::self, "too many connections"});
  settle_expectation(body);
  begin(*stream_);
}

/// RFC 9110 section 10.1.1. The 100 is sent when somebody first reads the body; an answer that doesn't need the body
/// takes its place.
void Connection::settle_expectation(http::BodySize body) {
  auto& request = stream_->exchange.request;
  const auto expect = request.headers.get(http::Field::expect);
  if (!expect) return;
  if (!equals_ignoring_case(*expect, "100-continue")) {
    return stream_->exchange.fail({ErrorCode::expectation_failed, Side::client, "only 100-continue may be expected"});
  }
  stream_->wants_continue = request.version != http::Version::http10 && !body.is_empty();
  request.headers.remove(http::Field::expect);
}

void Connection::on_data(http::StreamId, Slice data) {
  stream_->pace.count(data.size());
  auto& record = stream_->exchange.record;
  record.request_body_bytes += data.size();
  const auto* route = stream_->exchange.route;
  if (route && record.request_body_bytes > route->max_body) {  // before there is a route the pipe's bound holds
    state_ = State::deaf;
    return stream_->body.fail({ErrorCode::body_too_large, Side::client, "the request body is larger than allowed"});
  }
  stream_->body.push(std::move(data));
}

void Connection::on_end(http::StreamId, http::Headers* trailers) {
  alarm_.stop();
  stream_->body.finish(trailers);
}

void Connection::on_reset(http::StreamId, Error error) { stream_->body.fail(error); }

// Answering.

void Connection::begin(Stream& stream) {
  stream.phase = Stream::Phase::handling;
  stream.turn.run = [](Ready& turn) {
    Stream& stream = *static_cast<Stream::Turn&>(turn).stream;
    stream.task = stream.connection.run(stream);
    stream.task.start();
  };
  gateway_.worker().loop.wake(stream.turn);
}

Task<> Connection::run(Stream& stream) {
  Exchange& exchange = stream.exchange;
  bool has_thrown = false;
  try {
    if (stream.body.error()) exchange.fail(*stream.body.error());  // broken in the very read that brought the head
    if (!exchange.failure) {
      if (const Route* route = admit(exchange, *stream.serving)) co_await route->chain.run(exchange);
    }
  } catch (const std::exception& error) {
    log::error("exchange_failed", {{"request_id", exchange.id}, {"what", error.what()}});
    has_thrown = true;
  }
  if (has_thrown) exchange.fail({ErrorCode::internal, Side::self, "an exception escaped from the filter chain"});
  bool is_broken = false;
  try {
    co_await answer(stream);
  } catch (const std::exception& error) {
    log::error("answer_failed", {{"request_id", exchange.id}, {"what", error.what()}});
    is_broken = true;
  }
  if (is_broken) {
    stream.is_cut_short = true;
    codec_.reset(stream.id, ErrorCode::internal);
  }
  stream.turn.run = [](Ready& turn) {
    Stream& stream = *static_cast<Stream::Turn&>(turn).stream;
    stream.connection.ended(stream);
  };
  gateway_.worker().loop.wake(stream.turn);
}

Task<> Connection::answer(Stream& stream) {
  auto& exchange = stream.exchange;
  if (exchange.failure) render_error(exchange);
  if (!exchange.response.body) exchange.response.body = make_in<TextBody>(exchange.arena(), exchange.arena(), "");
  send_head(stream);
  Wire wire{gateway_.worker().loop, socket_, output_, codec_, stream.serving->policy->timeouts.write, kClientGone,
            kClientStalled};
  const auto sent = co_await send_body(*exchange.response.body, wire, stream.id, exchange.record.response_body_bytes);
  exchange.record.finished = gateway_.worker().loop.now();
  if (!sent) {
    exchange.failure = sent.error();
    exchange.record.raise(meaning_of(sent.error().code).flag);
    stream.is_cut_short = true;
    codec_.reset(stream.id, sent.error().code);
  }
  exchange.response.body.reset();
}

void Connection::send_head(Stream& stream) {
  auto& exchange = stream.exchange;
  auto& head = exchange.response.head;
  const auto& limits = stream.serving->policy->limits;
  const bool is_last = limits.requests_per_connection != 0 && stream.id >= limits.requests_per_connection;
  // A request that isn't whole yet may never be: its connection can't be trusted to carry another.
  we_close_ = is_last || gateway_.is_draining() || state_ == State::deaf || refusal_ || !stream.body.is_finished();
  if (we_close_) codec_.drain();
  if (!head.headers.has(http::Field::date)) head.headers.add("Date", gateway_.date(), http::Field::date);
  stream.phase = Stream::Phase::answering;
  stream.wants_continue = false;
  exchange.record.status = head.status;
  exchange.record.response_started = gateway_.worker().loop.now();
  codec_.send_response(stream.id, head, exchange.response.body->size());
}

void Connection::inform(Stream& stream, const http::ResponseHead& head) {
  if (stream.phase != Stream::Phase::handling || stream.exchange.request.version == http::Version::http10) return;
  codec_.send_interim(stream.id, head);
  (void)socket_.send(output_);  // what the socket doesn't take leaves with the response
}

void Connection::body_wanted(Stream& stream) {
  if (!std::exchange(stream.wants_continue, false) || stream.body.is_settled()) return;
  http::ResponseHead go_on(stream.arena);
  go_on.status = 100;
  inform(stream, go_on);
}

void Connection::body_taken() { resume_.notify(); }

void Connection::ended(Stream& stream) {
  const bool client_is_silent = stream.body.is_finished() && state_ == State::open && !has_stash() && !we_close_;
  // Nothing but a reset tells an HTTP/1.0 client that its body was cut short.
  const bool must_reset = stream.is_cut_short && stream.exchange.request.version == http::Version::http10;
  bury(stream);
  if (must_reset) {
    socket_.reset_on_close();
    return close();
  }
  if (!codec_.is_reusable()) return client_is_silent ? close() : linger();
  if (state_ == State::deaf && !has_stash()) return linger();  // its FIN has come
  alarm_.start(gateway_.serving()->policy->timeouts.idle);
  feed_stash();
  if (state_ == State::deaf && (!stream_ || stream_->phase == Stream::Phase::head)) return abort(Flag::DC);
  resume_.notify();
}

/// The one place where an exchange ends, however it did.
void Connection::bury(Stream& stream) {
  stream.task.reset();
  auto& record = stream.exchange.record;
  if (record.finished == Time{}) record.finished = gateway_.worker().loop.now();
  if (stream.exchange.failure && stream.exchange.failure->code == ErrorCode::client_gone) record.raise(Flag::DC);
  stream.exchange.response.body.reset();
  stream.serving->observer->exchange_finished(stream.exchange);
  stream_ = nullptr;
  gateway_.streams().destroy(&stream);
}

void Connection::abort(Flag flag) {
  if (stream_) {
    stream_->exchange.record.raise(flag);
    bury(*stream_);
  }
  close();
}

void Connection::close() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  alarm_.stop();
  gateway_.retire(*this);
}

void Connection::linger() {
  state_ = State::lingering;
  stash_.reset();
  socket_.finish_writing();
  alarm_.start(kLinger);
  resume_.notify();
}

}  // namespace weir::downstream
