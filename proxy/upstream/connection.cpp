#include "upstream/connection.h"

#include "http/h1_codec.h"
#include "http/h2_codec.h"
#include "upstream/connection_pool.h"
#include "upstream/response_body.h"

namespace weir::upstream {

namespace {

/// A response's head may be larger than a request's: applications set cookies.
constexpr http::HeadLimits kHeadLimits{.request_line = 16 * 1024,
                                       .head_bytes = 128 * 1024,
                                       .fields = 500,
                                       .underscores = http::HeadLimits::Underscores::keep};

// What a response may send ahead is up to its client, stream by stream (ResponseBody::widen). The connection's window
// never closes: clients that read slowly hold up no stream of another client.
constexpr http::H2Limits kH2Limits{.stream_window = Connection::kStreamWindow,
                                   .widest_window = Connection::kStreamWindow,
                                   .spare_window = 0,
                                   .connection_window = INT32_MAX};

constexpr size_t kHeadRead = 8 * 1024;
constexpr size_t kSmallHead = 8 * 1024;   // the least that endpoints take (Netty)
constexpr size_t kAnyHead = 1024 * 1024;  // larger than a request's head may be
constexpr Duration kClogged = std::chrono::milliseconds(500);
constexpr uint32_t kMostResets = 64;                       // within that time, of those that servers allow
constexpr Duration kResetTime = std::chrono::seconds(30);  // as long as Netty counts
constexpr size_t kWorthSplicing = 16 * 1024;               // of a large answer, what is left of it

constexpr Wire::Errors kErrors{
    {ErrorCode::connection_reset, Side::upstream, "the connection broke while the request was sent"},
    {ErrorCode::response_timeout, Side::upstream, "the endpoint took nothing of the request for too long"}};

}  // namespace

Connection::Connection(WorkerContext& worker, ConnectionPool& pool, std::shared_ptr<EndpointState> endpoint, int fd,
                       uint64_t identity)
    : worker_(worker),
      pool_(pool),
      endpoint_(std::move(endpoint)),
      socket_(worker.loop, fd),
      wire_(worker.loop, socket_, worker.blocks, kErrors),
      identity_(identity),
      outages_(endpoint_->outages.load(std::memory_order_relaxed)),
      resume_(worker.loop),
      heard_(worker.loop),
      idle_alarm_(worker.loop, *this) {
  endpoint_->connections.fetch_add(1, std::memory_order_relaxed);
}

Connection::~Connection() { endpoint_->connections.fetch_sub(1, std::memory_order_relaxed); }

void Connection::start(http::Version version) {
  if (version == http::Version::http2) {
    codec_ = std::make_unique<http::H2Codec>(http::Role::client, kHeadLimits, *this, wire_.output(), kH2Limits);
  } else {
    codec_ = std::make_unique<http::H1Codec>(http::Role::client, kHeadLimits, *this, wire_.output());
  }
  wire_.use(*codec_);
  if (codec_->is_multiplexed()) {
    liveness_ = std::make_unique<Liveness>(worker_.loop, *this, pool_.pings(*this));
    pool_.put(*this);
    wire_.send_soon();  // our settings
  }
  task_ = serve();
  task_.start();
}

size_t Connection::capacity() const {
  if (is_closed_ || wire_.is_broken() || !is_trusted() || is_clogged()) return 0;
  const size_t capacity = codec_->capacity();
  if (has_heard_ || !codec_->is_multiplexed()) return capacity;
  return is_unused() ? std::min<size_t>(capacity, 1) : 0;
}

void Connection::lend(ResponseBody& response) {
  if (liveness_) liveness_->asked();
  responses_.push_back(response);
  lent_at_ = static_cast<int64_t>(wire_.output().consumed());
  ++requests_;
  idle_alarm_.stop();
}

/// TLS' records are longer than what they carry, and the output doesn't count what is spliced: how many bytes have
/// arrived isn't known then.
bool Connection::has_crossed(uint64_t sent) const {
  if (codec_->is_multiplexed() || codec_->is_reusable() || socket_.tls() || !endpoint_->address.is_ip()) return false;
  const auto& output = wire_.output();
  const bool is_spliced = output.consumed() + output.bytes() < static_cast<uint64_t>(lent_at_) + sent;
  return requests_ > 1 && !is_spliced && wire_.delivered() <= lent_at_;
}

bool Connection::is_clogged() const {
  return window_closed_since_ != Time::max() && worker_.loop.now() - window_closed_since_ >= kClogged;
}

bool Connection::takes(const http::RequestHead& head) const {
  if (!codec_->is_multiplexed()) return true;
  const size_t most = has_heard_ ? codec_->head_limit() : kSmallHead;
  return most >= kAnyHead || http::list_size(head) <= most;
}

/// Clients cancel requests as they like, while servers close a connection with many resets, and the streams of other
/// clients with it: after some, it takes no further requests.
void Connection::has_reset() {
  const Time now = worker_.loop.now();
  if (now - resets_since_ > kResetTime) {
    resets_since_ = now;
    resets_ = 0;
  }
  if (++resets_ == kMostResets) codec_->drain();
}

/// A connection that has come to its end makes no stream (0).
void Connection::asked(ResponseBody& response) {
  if (codec_->is_multiplexed() && response.stream() != 0) streams_.add(response.stream(), response);
}

void Connection::give_back(ResponseBody& response, bool whole) {
  was_large_ = response.splice() != nullptr;
  codec_->consumed(response.stream(), response.unread());
  // A response that came before the request's end leaves its stream half open.
  if (!whole || codec_->is_multiplexed()) codec_->reset(response.stream(), ErrorCode::client_gone);
  response.unlink();
  if (codec_->is_multiplexed()) streams_.remove(response.stream());
  if (!whole && codec_->is_multiplexed() && !response.was_reset()) has_reset();
  if (!whole && liveness_) {
    doubt(response.waits_since(),
          response.has_timed_out() ? Liveness::Waited::until_timeout : Liveness::Waited::until_dropped);
  }
  resume_.notify();
  if (codec_->is_multiplexed()) {
    wire_.send_soon();
    if (!is_closed_ && codec_->is_reusable()) return pool_.put(*this);
    if (!is_unused()) return;
  } else if (is_reusable()) {
    return pool_.put(*this);
  }
  is_closed_ = true;
  pool_.retire(*this);
}

/// A timeout is a reason to ask. A client that left early is none, unless it had waited for as long as a PING may take,
/// or one had after the other.
void Connection::doubt(Time since, Liveness::Waited waited) {
  since = std::min(since, liveness_->asked_since());
  const bool has_waited = worker_.loop.now() - since >= pool_.pings(*this).timeout;
  if (has_waited || waited == Liveness::Waited::until_timeout) liveness_->doubt(since, waited);
}

bool Connection::is_quiet() {
  const auto waiting = socket_.peek();
  if (waiting.state == net::Transfer::State::blocked) return true;
  if (waiting.state == net::Transfer::State::moved) fault(ConnectionFault::unsolicited_bytes);
  is_closed_ = true;
  return false;
}

/// A FIN may wait behind what the endpoint has said.
void Connection::catch_up() {
  constexpr int kMost = 4;
  for (int i = 0; i < kMost && !is_closed_; ++i) {
    receive();
    if (is_closed_ || socket_.peek().state == net::Transfer::State::blocked) return;
  }
}

void Connection::ping() {
  codec_->ping();
  wire_.send_soon();
}

void Connection::lost_trust() {
  if (is_closed_) return;
  if (is_unused()) expired();
  else pool_.put(*this);
  pool_.heard(*this);
}

void Connection::regained_trust() {
  if (!is_closed_ && codec_->is_reusable()) pool_.put(*this);
}

void Connection::fell_silent() {
  if (is_closed_) return;
  fault(ConnectionFault::silent);
  broken({ErrorCode::connection_reset, Side::upstream, "the endpoint stopped responding on this connection"});
}

void Connection::fault(ConnectionFault fault) {
  if (endpoint_->faults) endpoint_->faults->count(fault, endpoint_->text);
}

/// What we have to say comes first: a server waits for it.
Connection::Listening::Listening(Connection& connection)
    : connection_(connection), since_(connection.worker_.loop.now()) {
  ++connection_.listeners_;
  connection_.stop_waiting();
  connection_.wire_.send_soon();
}

Connection::Listening::~Listening() {
  --connection_.listeners_;
  if (!connection_.has_heard()) connection_.doubt(since_, Liveness::Waited::until_dropped);
  if (!connection_.is_unused() || connection_.is_tied()) return;
  if (!connection_.is_closed_ && connection_.codec_->is_reusable()) {
    connection_.pool_.put(connection_);
  } else {
    connection_.expired();
  }
}

bool Connection::is_reusable() const {
  return !is_closed_ && codec_->is_reusable() && codec_->is_idle() && !wire_.has_unsent() && !wire_.is_broken();
}

void Connection::taken(ResponseBody& response, size_t bytes) {
  if (!codec_->is_multiplexed()) return resume_.notify();
  if (bytes == 0) return;
  codec_->consumed(response.stream(), bytes);
  wire_.send_soon();
}

// Reading.

Task<> Connection::serve() {
  while (!is_closed_) {
    if (must_pause()) {
      co_await resume_.wait();
      continue;
    }
    co_await socket_.readable();
    receive();
  }
}

/// Many streams have windows of their own; one has the connection's socket.
bool Connection::must_pause() const {
  if (codec_->is_multiplexed() || responses_.is_empty()) return false;
  return responses_.front().is_full();
}

void Connection::receive() {
  if (is_closed_) return;  // since the socket became readable
  auto* response = codec_->is_multiplexed() ? nullptr : sole();
  if (auto* pipe = response ? response->splice() : nullptr) return splice(*pipe);
  BlockRef block = worker_.read_block();
  const bool only_head = was_large_ && response && !response->is_answering();
  const size_t room = response ? response->room() : block->size;
  if (room == 0) return;  // other streams of the client have used it up
  const auto transfer =
      socket_.receive(block.space().first(std::min<size_t>(only_head ? kHeadRead : room, block->size)));
  if (transfer.state != net::Transfer::State::moved) return stopped(transfer);
  if (!codec_->is_multiplexed()) {
    if (!response) {
      fault(ConnectionFault::unsolicited_bytes);
      return broken({ErrorCode::protocol_error, Side::upstream, "bytes that no request asked for"});
    }
    response->answering();
  }
  const std::string_view bytes(block->bytes, transfer.bytes);
  feed(Slice(std::move(block), bytes));
}

/// The rest of the answer goes by unseen.
void Connection::splice(net::SplicePipe& pipe) {
  ResponseBody& response = *sole();
  const auto transfer = pipe.fill(socket_, codec_->may_pass_in(response.stream()));
  if (transfer.state != net::Transfer::State::moved) return stopped(transfer);
  codec_->passed_in(response.stream(), transfer.bytes);
  response.spliced();
}

bool Connection::may_splice(http::StreamId stream) const {
  return !socket_.tls() && codec_->may_pass_in(stream) >= kWorthSplicing;
}

/// Nothing came, or nothing will.
void Connection::stopped(const net::Transfer& transfer) {
  switch (transfer.state) {
    case net::Transfer::State::moved:
    case net::Transfer::State::blocked: return;
    case net::Transfer::State::failed:
      return broken({ErrorCode::connection_reset, Side::upstream, "the endpoint reset the connection"});
    case net::Transfer::State::ended: {
      const auto ended = responses_.is_empty() ? Result<>() : codec_->feed_end();
      return broken(ended ? Error{ErrorCode::connection_reset, Side::upstream,
                                  "the endpoint closed the connection without an answer"}
                          : ended.error());
    }
  }
}

void Connection::feed(Slice bytes) {
  if (liveness_) liveness_->heard();
  while (!bytes.empty()) {
    const auto used = codec_->feed(bytes);
    if (!used) return broken(used.error());
    if (*used == 0) {  // more than the answer: the codec won't be reused
      if (auto* const answer = sole()) answer->exceeded();
      fault(ConnectionFault::unsolicited_bytes);
      return;
    }
    bytes.remove_prefix(*used);
  }
  if (!codec_->is_multiplexed()) return;
  if (window_closed_since_ != Time::max() && !codec_->is_window_closed()) window_closed_since_ = Time::max();
  wire_.send_soon();  // acknowledgements, windows
  if (!has_heard_) has_spoken();
  if (!codec_->is_reusable() && is_unused()) expired();
}

void Connection::has_spoken() {
  has_heard_ = true;
  heard_.notify();
  pool_.heard(*this);
}

/// No more will come. Whatever has come stays good.
void Connection::broken(Error error) {
  is_closed_ = true;
  if (liveness_) liveness_->stop();
  has_spoken();
  if (codec_->is_multiplexed()) (void)wire_.write();  // GOAWAY, with the reason
  if (is_unused()) return pool_.retire(*this);
  for (ResponseBody& response : responses_) response.fail(error);
}

void Connection::expired() {
  is_closed_ = true;
  pool_.retire(*this);
}

ResponseBody* Connection::sole() { return responses_.is_empty() ? nullptr : &responses_.front(); }

// Codec events.

/// Null for a response that has been given back.
ResponseBody* Connection::find(http::StreamId stream) {
  if (codec_->is_multiplexed()) return streams_.find(stream);
  ResponseBody* const response = sole();
  return response && response->stream() == stream ? response : nullptr;
}

http::ResponseHead* Connection::begin_response(http::StreamId stream) {
  if (liveness_) liveness_->responded();
  auto* const response = find(stream);
  return response ? &response->begin_head() : nullptr;
}

void Connection::on_interim(http::StreamId stream) {
  if (auto* const response = find(stream)) response->interim();
}

void Connection::on_response(http::StreamId stream, http::BodySize body) {
  if (auto* const response = find(stream)) response->answered(body);
}

void Connection::on_data(http::StreamId stream, Slice data) {
  if (liveness_) liveness_->responded();
  auto* const response = find(stream);
  if (!response) return codec_->consumed(stream, data.size());
  response->push(std::move(data));
}

void Connection::on_end(http::StreamId stream, http::Headers* trailers) {
  if (auto* const response = find(stream)) response->finish(trailers);
}

/// The end of the connection ends its streams, too, by other errors.
void Connection::on_reset(http::StreamId stream, Error error) {
  auto* const response = find(stream);
  if (!response) return;
  const bool is_endpoints = error.code == ErrorCode::connection_reset && error.side == Side::upstream;
  if (is_endpoints) response->reset(error);
  else response->fail(error);
}

}  // namespace weir::upstream
