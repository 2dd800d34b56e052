#include "downstream/connection.h"
#include "exchange/error_response.h"

// How a connection's streams end, and the connection itself: by a deadline, by the client, or because Weir drains.
//
// An open connection always has a deadline: the earliest of its streams (or the deadlines inside their chains) and of
// the wire; without streams the idle timeout, or the write timeout while the client has yet to take bytes
// (`wait_idle`). The write timeout counts from the last byte that the client acknowledged, whatever the client sends
// meanwhile. What the client is owed is sent before the connection is closed (`linger`).

namespace weir::downstream {

namespace {

constexpr Duration kLinger = std::chrono::seconds(2);
constexpr Duration kLongestLinger = std::chrono::seconds(30);  // with a client that goes on sending

}  // namespace

// Deadlines.

/// Arms the earliest deadline of the streams and the wire; without streams the one that stands is right.
void Connection::watch_progress() {
  if (codec_->is_multiplexed()) wire_.send_soon();  // acknowledgements, windows
  if (streams_.is_empty()) {
    if (codec_->is_multiplexed() && !codec_->is_reusable()) linger();  // no stream can follow a GOAWAY
    return;
  }
  Time due = wire_.is_broken() ? Time{} : wire_.stalls_at(gateway_.serving()->policy->timeouts.write);
  for (const Stream& stream : streams_) due = std::min(due, stream.due());
  if (due != Time::max()) {
    alarm_.start_at(due);
  } else {
    alarm_.stop();
  }
}

/// Starts the time that the client has to begin another request. Bytes that wait for the client come first.
void Connection::wait_idle() {
  if (wire_.is_broken()) return alarm_.start_at({});
  if (wire_.is_backed_up() && codec_->is_multiplexed()) {
    alarm_.stop();
    drained_ = wait_drained();
    drained_.start();
    return;
  }
  alarm_.start(we_close_ ? kLinger : gateway_.serving()->policy->timeouts.idle);
}

Task<> Connection::wait_drained() {
  const auto drained = co_await wire_.drain(gateway_.serving()->policy->timeouts.write);
  if (!drained) co_return abort(Flag::DC);
  if (state_ == State::lingering) co_return finish_writing();
  wait_idle();
}

/// Whether the kernel still sends to the client, which has the write timeout for each step. A connection that is closed
/// meanwhile answers the client's next frame with a reset, and the client's kernel drops what was not read yet.
bool Connection::is_delivering() {
  if (wire_.is_broken() || socket_.undelivered() == 0) return false;
  const auto delivered = static_cast<uint32_t>(wire_.delivered());
  const bool has_taken = static_cast<int32_t>(delivered - std::exchange(delivered_, delivered)) > 0;
  looks_ = has_taken ? 0 : looks_ + 1;
  if (looks_ * kLinger >= gateway_.serving()->policy->timeouts.write) return false;
  alarm_.start(kLinger);
  return true;
}

/// A client that sends what nobody reads is heard out for a while: closing resets the connection, and its kernel may
/// drop the response with it, which waits there to be read.
bool Connection::is_still_sending() {
  const bool has_received = std::exchange(has_received_, false);
  if (!has_received || ++lingers_ * kLinger >= kLongestLinger) return false;
  alarm_.start(kLinger);
  return true;
}

void Connection::on_alarm() {
  if (state_ == State::lingering) {
    if (!is_delivering() && !is_still_sending()) close();
    return;
  }
  if (wire_.is_broken() || wire_.has_stalled(gateway_.serving()->policy->timeouts.write)) return abort(Flag::DC);
  if (streams_.is_empty()) return idled();
  const Time now = gateway_.worker().loop.now();
  for (auto at = streams_.begin(); at != streams_.end();) {
    Stream& stream = *at;
    ++at;
    if (stream.due() > now) continue;
    if (const auto error = stream.is_late()) late(stream, *error);
    if (state_ != State::open) return;
  }
  watch_progress();
}

/// A request may be on its way: over HTTP/2 its client can be told that it won't be looked at.
void Connection::idled() {
  if (codec_->is_multiplexed() && wire_.is_backed_up()) return wait_idle();
  if (is_delivering()) return;
  if (!codec_->is_multiplexed() || we_close_) return close();
  drain();
}

/// An unfinished header block blocks all other streams. A whole head whose request is said to be empty waits for the
/// end of its own stream only: that stream is answered, and an end that comes yet changes nothing.
void Connection::late_head(Stream& stream, const Error& error) {
  if (codec_->is_multiplexed() && !codec_->is_reading_head(stream.id)) {
    stream.body.fail({ErrorCode::request_timeout, Side::client, "the end of the request took too long"});
    return stream.begin();
  }
  if (codec_->is_multiplexed()) codec_->reset(0, error.code);
  refuse(error);
}

void Connection::late(Stream& stream, const Error& error) {
  if (stream.phase == Stream::Phase::head) return late_head(stream, error);
  const Flag flag = meaning_of(error.code).flag;
  stream.exchange.record.raise(flag);
  stream.body.fail(error);
  const bool is_answering = stream.phase == Stream::Phase::answering;
  if (!codec_->is_multiplexed()) {
    state_ = State::deaf;
    if (is_answering) abort(flag);
  } else if (is_answering) {
    codec_->reset(stream.id, error.code);
    bury(stream);
    settle();
  }
}

// Ends.

void Connection::ended(Stream& stream) {
  const bool is_cut_short = stream.is_cut_short;
  const auto version = stream.exchange.request.version;
  // TLS itself may have something to say at any time: the end of a handshake, a key update, close_notify.
  const bool client_is_silent = stream.body.is_finished() && !stream.is_tunnel() && state_ == State::open &&
                                !has_stash() && !we_close_ && !socket_.tls();
  bury(stream);
  if (codec_->is_multiplexed()) return wire_.is_broken() ? abort(Flag::DC) : settle();
  // Nothing but a reset tells an HTTP/1.0 client that its body was cut short.
  if (is_cut_short && version == http::Version::http10) {
    socket_.reset_on_close();
    return close();
  }
  if (!codec_->is_reusable()) return client_is_silent ? close() : linger();
  if (state_ == State::deaf && !has_stash()) return linger();  // its FIN has come
  alarm_.start(gateway_.serving()->policy->timeouts.idle);
  feed_stash();
  if (state_ == State::deaf && (streams_.is_empty() || streams_.front().phase == Stream::Phase::head)) {
    return abort(Flag::DC);
  }
  resume_.notify();
}

/// Sends what the codec has to say about the end of a stream. Without streams, starts the timer of an idle connection;
/// one that can carry no further stream is closed.
void Connection::settle() {
  if (state_ != State::open || !codec_->is_multiplexed()) return;
  wire_.send_soon();
  if (!streams_.is_empty()) return wire_.is_backed_up() ? watch_progress() : void();
  if (codec_->is_reusable()) {
    wait_idle();
  } else {
    linger();
  }
}

/// The one place where an exchange ends, however it did. The codec gives a stream up that it has not closed: the client
/// did not end its request, or the response was cut short.
void Connection::bury(Stream& stream) {
  stream.silence();
  auto& record = stream.exchange.record;
  if (record.finished == Time{}) record.finished = gateway_.worker().loop.now();
  if (stream.exchange.failure && stream.exchange.failure->code == ErrorCode::client_gone) record.raise(Flag::DC);
  stream.exchange.response.body.reset();
  codec_->consumed(stream.id, stream.body.bytes());
  if (codec_->is_multiplexed()) codec_->reset(stream.id, ErrorCode::client_gone);
  stream.serving->observer->exchange_finished(stream.exchange);
  stream.unlink();
  if (by_id_) by_id_->erase(place_of(stream.id));
  gateway_.streams().destroy(&stream);
}

void Connection::bury_all(Flag flag) {
  while (!streams_.is_empty()) {
    streams_.front().exchange.record.raise(flag);
    bury(streams_.front());
  }
}

void Connection::abort(Flag flag) {
  bury_all(flag);
  close();
}

void Connection::close() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  alarm_.stop();
  gateway_.retire(*this);
}

void Connection::rest() {
  if (rest_ == Rest::resting) return;
  const bool was_quiet = rest_ == Rest::quiet;
  rest_ = is_idle() && wire_.output().is_empty() ? Rest::quiet : Rest::awake;
  if (!was_quiet || rest_ != Rest::quiet) return;
  rest_ = Rest::resting;
  codec_->rest();
  wire_.output().rest();
  if (by_id_) by_id_->shrink_to_fit();
}

void Connection::drain() {
  if (!codec_->is_multiplexed()) return;  // the next response says so
  if (std::exchange(we_close_, true)) return;
  codec_->drain();
  wire_.send_soon();
  if (streams_.is_empty()) wait_idle();
}

void Connection::vet() {
  if (is_barred_ || vetted_ == gateway_.vetting()) return;
  if (socket_.tls() && !has_begun_) return;  // it begins when the handshake is done
  vetted_ = gateway_.vetting();
  if (gateway_.admits(socket_.tls())) return;
  is_barred_ = true;
  gateway_.has_barred();
  part();
  if (state_ == State::open) drain();
}

bool Connection::part() {
  bool has_tunnel = false;
  for (Stream& stream : streams_) has_tunnel = stream.withdraw() || has_tunnel;
  return has_tunnel;
}

void Connection::part_strays(const RouteTable& routes, Time then) {
  bool has_tunnel = false;
  for (Stream& stream : streams_) {
    if (stream.exchange.request.protocol.empty() || !stream.exchange.route) continue;
    has_tunnel = true;
    const Time until = routes.has(*stream.exchange.route) ? Time::max() : std::min(then, stream.strays_until());
    stream.stray_until(until);
  }
  if (has_tunnel && state_ == State::open) watch_progress();
}

void Connection::linger() {
  state_ = State::lingering;
  socket_.drop_input();
  has_received_ = false;
  lingers_ = 0;
  alarm_.stop();
  stash_.reset();
  resume_.notify();
  if (codec_->is_multiplexed()) (void)wire_.write();  // GOAWAY, acknowledgements
  if (wire_.is_broken()) return close();
  if (!wire_.is_backed_up()) return finish_writing();
  wire_.send_soon();  // goes on writing when the socket has room
  drained_ = wait_drained();
  drained_.start();
}

/// All is sent. The client has a moment to take it: closing a socket with unread bytes resets the connection.
void Connection::finish_writing() {
  socket_.finish_writing();
  alarm_.start(kLinger);
}

}  // namespace weir::downstream
