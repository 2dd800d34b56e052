#include <nghttp2/nghttp2.h>

#include "http/h2_codec_fields.h"
#include "http/h2_codec_stream.h"

namespace weir::http {

namespace {

// CONTINUATION frames of one header block: room for more than any head may have. What an endpoint sends may be one
// client's doing, and is read as far as it is decoded: a fault of the connection would end the streams of others.
constexpr uint32_t kContinuations = 8;
constexpr uint32_t kContinuationsOfEndpoint = 40;
constexpr uint8_t kInterims = 32;  // 1xx responses to one request

/// How far decoding goes past the limit of a head, which is to be answered still, before it counts as a bomb.
constexpr size_t most_decoded(const HeadLimits& limits) { return 4 * size_t{limits.head_bytes} + 64 * 1024; }

}  // namespace

void H2Codec::begin_frame(uint8_t type) {
  switch (type) {
    case NGHTTP2_HEADERS: continuations_ = 0; return;
    case NGHTTP2_CONTINUATION:
      if (++continuations_ > (role_ == Role::server ? kContinuations : kContinuationsOfEndpoint))
        judge(FloodGuard::Verdict::flood, "a flood of CONTINUATION frames");
      return;
    default: return judge(guard_.frame(), "a flood of frames that carry nothing");
  }
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
  events_.on_request(stream.id, *body);
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
  events_.on_data(stream.id, input_->around(bytes));
}

void H2Codec::finish_receiving(Stream& stream, Headers* trailers) {
  if (stream.life != Stream::Life::open) return;  // reset by the receiver meanwhile
  stream.incoming = Stream::Message::whole;
  stream.arena = nullptr;
  events_.on_end(stream.id, trailers);
}

}  // namespace weir::http
