#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <utility>

#include "http/h2_codec_fields.h"
#include "http/h2_codec_stream.h"

namespace weir::http {

namespace {

// CONTINUATION frames of one header block: room for more than any head may have. What an endpoint sends may be one
// client's doing, and is read as far as it is decoded: a fault of the connection would end the streams of others.
constexpr uint32_t kContinuations = 8;
constexpr uint32_t kContinuationsOfEndpoint = 40;
constexpr uint8_t kInterims = 32;  // 1xx responses to one request
constexpr size_t kShort = 2048;    // bytes
constexpr std::string_view kEmptyFrames = "a flood of frames that carry nothing";

/// How far decoding goes past the limit of a head, which is to be answered still, before it counts as a bomb.
constexpr size_t most_decoded(const HeadLimits& limits) { return 4 * size_t{limits.head_bytes} + 64 * 1024; }

}  // namespace

void H2Codec::begin_frame(uint8_t type, StreamId stream) {
  switch (type) {
    case NGHTTP2_HEADERS: continuations_ = 0; return begin_head(stream);
    case NGHTTP2_PRIORITY:
      if (stream == 0) return break_off(NGHTTP2_PROTOCOL_ERROR, "PRIORITY on stream 0");  // RFC 9113 section 6.3
      return judge(guard_.frame(), kEmptyFrames);
    case NGHTTP2_CONTINUATION:
      if (++continuations_ > (role_ == Role::server ? kContinuations : kContinuationsOfEndpoint))
        judge(FloodGuard::Verdict::flood, "a flood of CONTINUATION frames");
      return;
    default: return judge(guard_.frame(), kEmptyFrames);
  }
}

/// nghttp2 ignores a head on a stream that it has forgotten. RFC 9113 sections 5.1 and 5.1.1: ids of requests only
/// grow, and nothing follows the end of a stream. Two kinds of heads are innocent: trailers that crossed a reset, and
/// requests that crossed the last GOAWAY.
void H2Codec::begin_head(StreamId id) {
  if (role_ == Role::client) {
    if (!find(id)) waste_stream("a flood of heads on streams that are over");
    return;
  }
  if (id % 2 == 0) return;  // nghttp2 refuses it
  if (id >= next_head_) {
    has_skipped_streams_ = has_skipped_streams_ || id > next_head_;
    next_head_ = id + 2;
    if (going_ == Going::leaving) judge(guard_.frame(), kEmptyFrames);
    return;
  }
  const Stream* const stream = find(id);
  if (stream && stream->life != Stream::Life::owing) return;
  const bool has_crossed_goaway =
      going_ == Going::leaving && id > static_cast<StreamId>(nghttp2_session_get_last_proc_stream_id(session_));
  if (has_crossed_goaway || take_discarded(id)) return judge(guard_.frame(), kEmptyFrames);
  if (has_skipped_streams_) return break_off(NGHTTP2_PROTOCOL_ERROR, "HEADERS on a stream below the last one");
  break_off(NGHTTP2_STREAM_CLOSED, "HEADERS on a closed stream");
}

void H2Codec::begin_fields(Stream& stream) {
  block_of_ = stream.id;
  if (stream.incoming != Stream::Message::head) {
    trailers_ = &stream.arena->make<Headers>(*stream.arena);
    return head_.begin(*trailers_, limits_, peer());
  }
  Headers* headers = nullptr;
  if (role_ == Role::server) {
    request_ = &events_.begin_request(stream.id);
    request_->version = Version::http2;  // of one that is refused, too
    headers = &request_->headers;
  } else {
    response_ = events_.begin_response(stream.id);
    if (!response_) return reset(stream.id, ErrorCode::client_gone);
    headers = &response_->headers;
  }
  stream.arena = &headers->arena();
  head_.begin(*headers, limits_, peer());
}

void H2Codec::add_field(H2Head::Text name, H2Head::Text value) {
  head_.add(name, value);
  if (head_.bytes() > most_decoded(limits_))
    judge(FloodGuard::Verdict::flood, "a header block that decodes to a flood");
}

void H2Codec::finish_fields(Stream& stream, Ends ends) {
  block_of_ = 0;
  if (stream.incoming != Stream::Message::head) return finish_trailers(stream);
  return role_ == Role::server ? finish_request(stream, ends) : finish_response(stream, ends);
}

void H2Codec::finish_request(Stream& stream, Ends ends) {
  auto& head = *request_;
  const auto body = head_.finish(head, ends);
  if (!body) return refuse(stream, body.error());
  stream.method = head.protocol.empty() ? head.method : Method::connect;
  stream.incoming = Stream::Message::body;
  if (!peer_prioritizes_ && !head.headers.get("priority")) {
    // Without a word from the client, streams take turns, and a big answer leaves room for small ones (RFC 9218).
    constexpr nghttp2_extpri kTakesTurns{NGHTTP2_EXTPRI_DEFAULT_URGENCY, 1};
    nghttp2_session_change_extpri_stream_priority(session_, static_cast<int32_t>(stream.id), &kTakesTurns, 0);
  }
  stream.has_length = body->kind == BodySize::Kind::known;
  stream.to_come = body->bytes;
  stream.awaits_end = stream.has_length && body->bytes == 0 && ends == Ends::no;
  if (!stream.awaits_end) events_.on_request(stream.id, *body);
  if (ends == Ends::yes) finish_receiving(stream, nullptr);
}

void H2Codec::finish_response(Stream& stream, Ends ends) {
  auto& head = *response_;
  const auto body = head_.finish(head, stream.method, ends);
  if (!body) return refuse(stream, body.error());
  if (head.status < 200 && head.status != 101) {
    if (++stream.interims > kInterims) return refuse(stream, malformed("too many 1xx responses"));
    return events_.on_interim(stream.id);
  }
  stream.incoming = Stream::Message::body;
  stream.is_tunnel = body->kind == BodySize::Kind::tunnel;
  events_.on_response(stream.id, *body);
  if (ends == Ends::yes) finish_receiving(stream, nullptr);
}

/// nghttp2 takes them at the end of the stream only.
void H2Codec::finish_trailers(Stream& stream) {
  if (const auto finished = head_.finish_trailers(); !finished) return refuse(stream, finished.error());
  finish_receiving(stream, trailers_->empty() ? nullptr : trailers_);
}

/// Costs the stream. A client whose head is only too large is told so.
void H2Codec::refuse(Stream& stream, Error error) {
  const auto id = static_cast<int32_t>(stream.id);
  waste_stream("a flood of malformed streams");
  if (error.code == ErrorCode::head_too_large && stream.incoming == Stream::Message::head) {
    submit_status(session_, id, "431");
  } else if (error.code == ErrorCode::uri_too_long) {
    submit_status(session_, id, "414");
  } else {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_PROTOCOL_ERROR);
  }
  lose(stream, error);
}

void H2Codec::receive_data(Stream& stream, std::string_view bytes) {
  stream.unconsumed += static_cast<uint32_t>(bytes.size());
  guard_.has_moved(bytes.size());
  if (stream.has_length) {
    stream.to_come -= std::min<uint64_t>(stream.to_come, bytes.size());
    if (stream.to_come == 0) {
      // It may wait for long: a short one pins no read buffer.
      stream.last_piece = bytes.size() <= kShort ? packer_.pack(bytes) : input_->around(bytes);
      return;
    }
  }
  events_.on_data(stream.id, input_->around(bytes));
}

/// An origin takes a request of known size for whole with its last byte. Before its end the client may still break the
/// rules, by more bytes than the size: so the last bytes, or a request without any, wait for the end.
void H2Codec::release_last(Stream& stream) {
  if (std::exchange(stream.awaits_end, false)) events_.on_request(stream.id, BodySize::known(0));
  if (!stream.last_piece.empty()) events_.on_data(stream.id, std::exchange(stream.last_piece, {}));
}

void H2Codec::finish_receiving(Stream& stream, Headers* trailers) {
  if (stream.life == Stream::Life::open) release_last(stream);
  if (stream.life != Stream::Life::open) return;  // reset by the receiver meanwhile
  stream.incoming = Stream::Message::whole;
  stream.arena = nullptr;
  events_.on_end(stream.id, trailers);
}

}  // namespace weir::http
