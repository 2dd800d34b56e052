#include <nghttp2/nghttp2.h>

#include <algorithm>

#include "http/h2_codec_stream.h"

// How streams come and go. nghttp2 says when it has forgotten one (has_closed); for the receiver it may be over before
// that, when it was reset or refused.

namespace weir::http {

namespace {

constexpr std::string_view kResets[] = {
    "reset with NO_ERROR",
    "reset with PROTOCOL_ERROR",
    "reset with INTERNAL_ERROR",
    "reset with FLOW_CONTROL_ERROR",
    "reset with SETTINGS_TIMEOUT",
    "reset with STREAM_CLOSED",
    "reset with FRAME_SIZE_ERROR",
    "reset with REFUSED_STREAM",
    "reset with CANCEL",
    "reset with COMPRESSION_ERROR",
    "reset with CONNECT_ERROR",
    "reset with ENHANCE_YOUR_CALM",
    "reset with INADEQUATE_SECURITY",
    "reset with HTTP_1_1_REQUIRED",
};

std::string_view reset_text(uint32_t code) { return code < std::size(kResets) ? kResets[code] : "reset"; }

/// RFC 9113 section 7.
uint32_t reset_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::client_gone:
    case ErrorCode::request_timeout:
    case ErrorCode::response_timeout:
    case ErrorCode::read_timeout:
    case ErrorCode::total_timeout: return NGHTTP2_CANCEL;
    case ErrorCode::bad_request:
    case ErrorCode::protocol_error: return NGHTTP2_PROTOCOL_ERROR;
    default: return NGHTTP2_INTERNAL_ERROR;
  }
}

uint32_t connection_code(ErrorCode code) {
  return code == ErrorCode::request_timeout ? NGHTTP2_ENHANCE_YOUR_CALM : reset_code(code);
}

RetrySafe retry_after(uint32_t reset) {
  switch (reset) {
    case NGHTTP2_REFUSED_STREAM: return RetrySafe::yes;
    case NGHTTP2_HTTP_1_1_REQUIRED: return RetrySafe::over_http1;
    default: return RetrySafe::no;
  }
}

// Streams reset by this side whose trailers may still be under way: a client can't have more open at once than that.
constexpr size_t kMostDiscarded = 256;

constexpr uint32_t kLeastLent = 4 * 1024;  // bytes; less saves no round trip

}  // namespace

H2Codec::Stream& H2Codec::add(StreamId id) {
  Stream* const stream = recycler_.make(id, first_window_, output_.pool());
  streams_.push_back(stream);  // ids only grow
  ++open_;
  guard_.has_opened();
  return *stream;
}

H2Codec::Stream* H2Codec::find(StreamId id) const {
  const auto found = std::ranges::lower_bound(streams_, id, {}, &Stream::id);
  return found != streams_.end() && (*found)->id == id ? *found : nullptr;
}

H2Codec::Stream* H2Codec::find_open(StreamId id) const {
  Stream* const stream = find(id);
  return stream && stream->life == Stream::Life::open ? stream : nullptr;
}

/// It's over for the receiver; what it may have kept of the stream's bytes goes with it.
void H2Codec::retire(Stream& stream) {
  stream.life = Stream::Life::ending;
  stream.arena = nullptr;
  held_ -= stream.held.bytes();
  stream.held.clear();
  stream.last_piece = {};
  nghttp2_session_consume_connection(session_, std::exchange(stream.unconsumed, 0));
  --open_;
}

void H2Codec::forget(Stream& stream) {
  spare_window_ += stream.lent;
  streams_.erase(std::ranges::lower_bound(streams_, stream.id, {}, &Stream::id));
  recycler_.destroy(&stream);
}

void H2Codec::lose(Stream& stream, Error error) {
  if (stream.life != Stream::Life::open) return;
  const auto id = stream.id;
  retire(stream);
  events_.on_reset(id, error);
}

void H2Codec::reset(StreamId id, ErrorCode code) {
  if (id == 0) {
    nghttp2_session_terminate_session(session_, connection_code(code));
    return;
  }
  Stream* const stream = find(id);
  if (!stream || stream->life == Stream::Life::ending) return;
  if (stream->life == Stream::Life::owing) {
    nghttp2_session_consume_connection(session_, stream->unconsumed);
    return forget(*stream);
  }
  const bool has_answered = role_ == Role::server && stream->outgoing == Stream::Message::whole;
  retire(*stream);
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, static_cast<int32_t>(id),
                            has_answered ? static_cast<uint32_t>(NGHTTP2_NO_ERROR) : reset_code(code));
}

void H2Codec::consumed(StreamId id, size_t bytes) {
  Stream* const stream = find(id);
  if (!stream) return;
  bytes = std::min<size_t>(bytes, stream->unconsumed);
  stream->unconsumed -= static_cast<uint32_t>(bytes);
  if (stream->life != Stream::Life::owing) {
    nghttp2_session_consume(session_, static_cast<int32_t>(id), bytes);
    if (stream->incoming != Stream::Message::whole) lend_window(*stream, bytes);
    return;
  }
  nghttp2_session_consume_connection(session_, bytes);
  if (stream->unconsumed == 0) forget(*stream);
}

void H2Codec::widen(StreamId id, uint32_t bytes) {
  auto* const stream = find_open(id);
  if (!stream || stream->incoming == Stream::Message::whole || bytes <= stream->window) return;
  const uint32_t more = bytes - stream->window;
  stream->window = bytes;
  if (stream->has_left) open_window(*stream, more);
}

/// The window is opened by a difference: until the peer has acknowledged our SETTINGS, nghttp2 takes a stream's window
/// for 65,535 bytes, and a size below that would shrink it.
void H2Codec::open_window(Stream& stream, uint32_t more) {
  if (more == 0) return;
  nghttp2_submit_window_update(session_, NGHTTP2_FLAG_NONE, static_cast<int32_t>(stream.id),
                               static_cast<int32_t>(more));
}

/// A stream whose bytes are consumed as they come gets a wider window, so that its flow doesn't wait for round trips.
/// At most half of what is left: no stream takes all of it.
void H2Codec::lend_window(Stream& stream, size_t consumed) {
  stream.used += static_cast<uint32_t>(std::min<size_t>(consumed, stream.window));
  if (stream.used < stream.window / 2 || stream.window >= widest_window_) return;
  const uint32_t more = std::min(widest_window_ - stream.window, spare_window_ / 2);
  if (more < kLeastLent) return;
  spare_window_ -= more;
  stream.lent += more;
  stream.used = 0;
  stream.window += more;
  open_window(stream, more);
}

void H2Codec::receive_reset(Stream& stream, uint32_t code) {
  if (role_ == Role::server) {
    // Once no stream is opened any more, those that can be reset are few.
    const bool is_wasted = stream.outgoing == Stream::Message::head && going_ != Going::leaving;
    if (is_wasted) waste_stream("a flood of resets");
    return lose(stream, {ErrorCode::client_gone, Side::client, reset_text(code)});
  }
  lose(stream, {ErrorCode::connection_reset, Side::upstream, reset_text(code), retry_after(code)});
}

/// nghttp2 has seen to it, except that it lets stream 0 pass (RFC 9218 section 7.1).
void H2Codec::receive_priority(StreamId stream) {
  if (stream == 0) return break_off(NGHTTP2_PROTOCOL_ERROR, "PRIORITY_UPDATE of stream 0");
  peer_prioritizes_ = true;
}

void H2Codec::receive_goaway(uint32_t code) {
  peer_goes_ = true;
  if (code == NGHTTP2_HTTP_1_1_REQUIRED) peer_wants_http1_ = true;
}

/// nghttp2 has refused a frame, and resets the stream or ends the connection for it.
void H2Codec::receive_invalid(StreamId id, int reason) {
  waste_stream("a flood of malformed streams");
  Stream* const stream = find_open(id);
  if (reason == NGHTTP2_ERR_REFUSED_STREAM) discard(id);
  if (stream && (reason == NGHTTP2_ERR_HTTP_HEADER || reason == NGHTTP2_ERR_HTTP_MESSAGING)) {
    lose(*stream, malformed(nghttp2_strerror(reason)));
  } else if (!is_broken_) {
    fault_ = nghttp2_strerror(reason);
  }
}

/// The rest of its request may still be under way, trailers among it (RFC 9113 section 5.1).
void H2Codec::discard(StreamId id) {
  if (role_ == Role::client) return;
  if (discarded_.size() == kMostDiscarded) discarded_.erase(discarded_.begin());
  discarded_.push_back(id);
}

/// Trailers come once.
bool H2Codec::take_discarded(StreamId id) { return std::erase(discarded_, id) > 0; }

void H2Codec::has_closed(Stream& stream, uint32_t code) {
  if (stream.life == Stream::Life::open) {
    const bool is_done = stream.incoming == Stream::Message::whole && stream.outgoing == Stream::Message::whole;
    if (is_done && stream.unconsumed > 0) {
      stream.life = Stream::Life::owing;
      guard_.has_answered();
      --open_;
      return;
    }
    if (is_done) {
      guard_.has_answered();
      retire(stream);
    } else {
      // An endpoint that goes away gracefully closes every stream that it has not looked at.
      const bool is_refused = role_ == Role::client && code == NGHTTP2_REFUSED_STREAM;
      if (!is_refused) waste_stream("a flood of malformed streams");
      lose(stream, closing_error(stream, code));
    }
  }
  forget(stream);
}

/// Of a stream that the peer didn't reset and that isn't done.
Error H2Codec::closing_error(const Stream& stream, uint32_t code) const {
  if (role_ == Role::server) return malformed("the body isn't as long as Content-Length says");
  if (!stream.has_left || code == NGHTTP2_REFUSED_STREAM) {
    const auto retry = peer_wants_http1_ ? RetrySafe::over_http1 : RetrySafe::yes;
    return {ErrorCode::connection_reset, Side::upstream, "the upstream went away before this request", retry};
  }
  return malformed("the body isn't as long as Content-Length says");
}

}  // namespace weir::http
