#include "downstream/connection.h"

#include <algorithm>

#include "downstream/arrival.h"
#include "exchange/error_response.h"
#include "http/h1_codec.h"
#include "http/h2_codec.h"

// How a connection lives: `serve` waits for bytes and feeds the codec; the codec's events make streams and fill their
// pipes; a stream that has ended comes back by `ended`, in a turn of its own, and the next pipelined request is let
// in. Nothing is destroyed under a running coroutine: an end is always a turn of its own, and the connection itself
// goes at the end of the tick.
//
// A stream ends when the last byte of its response has left the output, or by a reset. The codec raises no event for a
// destroyed stream: `bury` resets what the codec has not closed.
//
// Deadlines and ends are in connection_end.cpp.

namespace weir::downstream {

namespace {

constexpr size_t kMostStashed = 16 * 1024;
constexpr Duration kRefusedPatience = std::chrono::seconds(5);  // for the request that is told why
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr Wire::Errors kErrors{
    {ErrorCode::client_gone, Side::client, "the client's connection broke"},
    {ErrorCode::client_gone, Side::client, "the client took nothing of its response for too long"}};

Error refused_by(ErrorCode limit) {
  if (limit == ErrorCode::connection_limit)
    return {limit, Side::self, "all connections that clients may have are open", RetrySafe::no, "limits.connections"};
  return {limit, Side::self, "all connections that one client may have are open", RetrySafe::no,
          "limits.connections_per_client"};
}

}  // namespace

Connection::Connection(Gateway& gateway, int fd, const net::Address& peer, std::optional<ErrorCode> refusal,
                       bool counted_by_client, std::unique_ptr<const net::ProxyHeader> header)
    : gateway_(gateway),
      socket_(gateway.worker().loop, fd),
      wire_(gateway.worker().loop, socket_, gateway.worker().blocks, kErrors),
      codec_(std::make_unique<http::H1Codec>(http::Role::server, gateway.serving()->policy->limits.head, *this,
                                             wire_.output())),
      peer_(peer),
      header_(std::move(header)),
      refusal_(refusal),
      counted_by_client_(counted_by_client),
      vetted_(gateway.vetting()),
      resume_(gateway.worker().loop),
      alarm_(gateway.worker().loop, *this) {
  wire_.use(*codec_);
  if (!header_) gateway_.observer().connection_opened();  // else it is open since it waits for its header
  alarm_.start(refusal_ ? kRefusedPatience : gateway_.serving()->policy->timeouts.idle);
  task_ = serve();
  task_.start();
}

Connection::~Connection() {
  while (!streams_.is_empty()) bury(streams_.front());
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
    if (wire_.is_broken()) co_return abort(Flag::DC);
    if (pause()) {
      co_await wait_paused();
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
    if (socket_.tls()->facts().protocol == "h2") speak_http2();
    has_begun_ = true;
    if (!refusal_) alarm_.start(gateway_.serving()->policy->timeouts.idle);
    co_return true;
  }
  gateway_.observer().handshake_failed(welcomed.error().fault);
  co_return false;
}

void Connection::speak_http2() {
  by_id_ = std::make_unique<std::vector<Stream*>>();
  codec_ = std::make_unique<http::H2Codec>(http::Role::server, gateway_.serving()->policy->limits.head, *this,
                                           wire_.output());
  wire_.use(*codec_);
  wire_.send_soon();  // our settings
}

/// Many streams have windows of their own; one has the connection's socket.
bool Connection::must_pause() const {
  if (state_ == State::deaf) return true;
  if (codec_->is_multiplexed() || streams_.is_empty()) return false;
  return streams_.front().body.is_full() || (stash_ && stash_->bytes() >= kMostStashed);
}

/// What to wait for before more is read; null: nothing. A client that asks and reads nothing is not read either.
Signal* Connection::pause() {
  if (must_pause()) return &resume_;
  return codec_->is_congested() && wire_.is_backed_up() ? &wire_.progress() : nullptr;
}

/// While nothing is read: a read would not tell that the client has gone.
Task<> Connection::wait_paused() {
  struct Either {
    Signal::Awaiter changed;
    FdWatch::Awaiter hung_up;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> awaiter) {
      changed.await_suspend(awaiter);
      hung_up.await_suspend(awaiter);
    }
    void await_resume() const noexcept {}
  };
  for (bool watches = true; !wire_.is_broken();) {
    Signal* const changed = pause();
    if (!changed) co_return;
    if (!watches) {
      co_await changed->wait();
      continue;
    }
    Either either{changed->wait(), socket_.hung_up()};
    co_await either;
    if (!either.hung_up.is_notified()) continue;
    if (socket_.is_gone()) co_return abort(Flag::DC);
    watches = false;  // urgent data, or the end of both directions: reported again and again
  }
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
  rest_ = Rest::awake;
  has_received_ = true;
  if (state_ != State::open) return;  // a request that was refused may still be on its way
  const std::string_view bytes(block->bytes, transfer.bytes);
  const Slice slice(std::move(block), bytes);
  if (!has_begun_) {
    begin(slice);
  } else if (!has_stash()) {
    feed(slice);
  } else {
    stash(slice);
    feed_stash();
  }
}

/// In the clear, a client that knows that we speak HTTP/2 says so with its first bytes (RFC 9113 section 3.3).
void Connection::begin(const Slice& bytes) {
  if (has_stash()) stash(bytes);
  const auto begun = (has_stash() ? stash_->front() : bytes).view().substr(0, kPreface.size());
  if (begun.size() < kPreface.size() && kPreface.starts_with(begun)) {
    if (!has_stash()) stash(bytes);
    return;
  }
  has_begun_ = true;
  if (begun == kPreface) speak_http2();
  if (has_stash()) {
    feed_stash();
  } else {
    feed(bytes);
  }
}

void Connection::feed(Slice bytes) {
  while (!bytes.empty()) {
    const auto used = codec_->feed(bytes);
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
    const auto used = codec_->feed(stash_->front());
    if (!used) return refuse(used.error());
    if (*used == 0) break;
    stash_->consume(*used);
  }
  if (!has_stash()) stash_.reset();
  watch_progress();
}

void Connection::client_finished() {
  if (state_ == State::lingering || streams_.is_empty()) return close();
  if (codec_->is_multiplexed()) return abort(Flag::DC);
  Stream& stream = streams_.front();
  if (stream.phase != Stream::Phase::answering || !(stream.is_tunnel() || stream.body.is_finished())) {
    return abort(Flag::DC);
  }
  state_ = State::deaf;                              // it has all it asked for under way,
  if (stream.is_tunnel()) (void)codec_->feed_end();  // or is done with its half of a tunnel
}

/// The bytes break a rule. A request in hand gets its answer; nothing after it is looked at.
void Connection::refuse(Error error) {
  state_ = State::deaf;
  alarm_.stop();
  if (codec_->is_multiplexed()) {
    bury_all(meaning_of(error.code).flag);
    return linger();  // GOAWAY, with the reason
  }
  if (!streams_.is_empty() && streams_.front().phase != Stream::Phase::head) return streams_.front().body.fail(error);
  if (streams_.is_empty()) begin_request(0);
  streams_.front().exchange.fail(error);
  streams_.front().begin();
}

void Connection::body_taken(Stream& stream, size_t bytes) {
  if (!codec_->is_multiplexed()) return resume_.notify();
  codec_->consumed(stream.id, bytes);
  wire_.send_soon();
}

// Codec events.

/// Null for a stream that has been destroyed.
Stream* Connection::find(http::StreamId id) {
  if (!by_id_) return streams_.is_empty() || streams_.front().id != id ? nullptr : &streams_.front();
  const auto place = place_of(id);
  return place == by_id_->end() || (*place)->id != id ? nullptr : *place;
}

std::vector<Stream*>::iterator Connection::place_of(http::StreamId id) const {
  return std::ranges::lower_bound(*by_id_, id, {}, [](const Stream* stream) { return stream->id; });
}

http::RequestHead& Connection::begin_request(http::StreamId id) {
  Stream& stream = *gateway_.streams().make(*this, gateway_.worker(), gateway_.serving(), id);
  streams_.push_back(stream);
  if (by_id_) by_id_->push_back(&stream);  // ids only grow
  ++requests_;
  auto& exchange = stream.exchange;
  exchange.request.more_methods = &stream.serving->policy->methods.allow;
  exchange.record.started = gateway_.worker().loop.now();
  std::array<char, 64> ip;
  exchange.client.peer = peer_;
  exchange.client.ip = exchange.arena().copy(peer_.ip(ip));
  exchange.client.listener = gateway_.listener();
  exchange.client.local_port = header_ && header_->ends ? header_->ends->destination.port() : gateway_.port();
  exchange.client.is_encrypted = header_ && header_->is_encrypted;
  if (header_) introduce(exchange, *header_);
  if (const auto* tls = socket_.tls()) introduce(exchange, tls->facts());
  stream.serving->observer->exchange_started();
  alarm_.stop();
  if (drained_) drained_.reset();
  return exchange.request;
}

void Connection::on_request(http::StreamId id, http::BodySize body) {
  alarm_.stop();
  Stream* const found = find(id);
  if (!found || found->phase != Stream::Phase::head) return;  // answered already: its end came too late
  Stream& stream = *found;
  auto& exchange = stream.exchange;
  exchange.record.head_received = gateway_.worker().loop.now();
  exchange.client.is_early = socket_.tls() && socket_.tls()->is_early();
  exchange.request_body = make_in<RequestBody>(exchange.arena(), exchange.arena(), stream, body);
  vet();
  if (refusal_) exchange.fail(refused_by(*refusal_));
  if (is_barred_)
    exchange.fail({ErrorCode::misdirected, Side::client, "this needs another client certificate: connect again"});
  stream.settle_expectation(body);
  stream.begin();
}

void Connection::on_data(http::StreamId id, Slice data) {
  Stream* const found = find(id);
  if (!found) return codec_->consumed(id, data.size());
  Stream& stream = *found;
  const auto* route = stream.exchange.route;
  const uint64_t most = route ? route->max_body : UINT64_MAX;  // before there is a route the pipe's bound holds
  const bool fits =
      stream.exchange.record.request_body_bytes + data.size() <= most || !stream.exchange.request.protocol.empty();
  if (fits && !stream.body.is_settled()) return stream.receive(std::move(data));
  codec_->consumed(id, data.size());  // nobody will read it, and the connection's window is everybody's
  if (fits) return;
  if (!codec_->is_multiplexed()) state_ = State::deaf;
  stream.body.fail(too_large(stream.exchange, *route));
}

void Connection::on_end(http::StreamId id, http::Headers* trailers) {
  if (Stream* const stream = find(id)) stream->body.finish(trailers);
}

void Connection::on_reset(http::StreamId id, Error error) {
  Stream* const found = find(id);
  if (!found) return;
  Stream& stream = *found;
  auto& record = stream.exchange.record;
  const bool has_left = error.code == ErrorCode::client_gone;
  record.raise(has_left ? Flag::DC : Flag::DPE);
  if (!has_left && record.status == 0) record.status = meaning_of(error.code).status;  // what the codec's refusal means
  if (!stream.exchange.failure) stream.exchange.failure = error;
  bury(stream);
  if (streams_.is_empty() && state_ == State::open) wait_idle();
}

/// The codec breaks a connection off when too many of its streams were wasted. Where a proxy has the streams of many
/// clients on it, the connection goes gracefully before that: what is under way ends as it would, and the proxy opens
/// another connection. At once, since the client that wastes streams may go on until the proxy has heard of it.
void Connection::on_half_wasted() {
  if (is_worn_ || state_ != State::open || !gateway_.serving()->policy->forwarding.trusts(peer_)) return;
  is_worn_ = true;
  gateway_.observer().connection_worn();
  drain();
  codec_->leave();
  wire_.send_soon();
}

// Requests from its streams.

void Connection::before_answer(Stream& stream) {
  const auto& limits = stream.serving->policy->limits;
  const bool is_last = limits.requests_per_connection != 0 && requests_ >= limits.requests_per_connection;
  we_close_ = is_last || gateway_.is_draining() || state_ == State::deaf || refusal_ || is_barred_ || is_worn_;
  // A request that isn't whole yet may never be: an HTTP/1 connection can't be trusted to carry another.
  if (!codec_->is_multiplexed() && !stream.is_tunnel() && !stream.body.is_finished()) we_close_ = true;
  if (we_close_) codec_->drain();
}

/// What came too early for it is its first bytes.
void Connection::tunnel_opened() { feed_stash(); }

net::Address Connection::local_address() const {
  return header_ && header_->ends ? header_->ends->destination : net::local_address(socket_.fd());
}

}  // namespace weir::downstream
