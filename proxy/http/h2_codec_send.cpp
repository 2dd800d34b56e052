#include <algorithm>
#include <utility>

#include "http/framing.h"
#include "http/h2_codec_fields.h"
#include "http/h2_codec_session.h"

namespace weir::http {

namespace {

constexpr size_t kShort = 2048;
constexpr size_t kMostPacked = 16;  // pieces of one stream

// A slice pins its whole read buffer (64 KiB). While many bytes wait for windows, pieces that use a small part of their
// buffer are copied.
constexpr size_t kMuchHeld = 64 * 1024;
constexpr size_t kPinsMost = 16 * 1024;

/// What lies in no block lies in an exchange's arena, mostly, which may be gone before a slow peer has taken the bytes:
/// the exchange only waits until the codec holds nothing back.
void pass_on(Output& output, Slice slice) {
  if (slice.block()) {
    output.append(std::move(slice));
  } else {
    output.append(slice.view());
  }
}

}  // namespace

// Everything here is handed to nghttp2, or held for it; flush asks for it.

StreamId H2Codec::send_request(const RequestHead& head, BodySize body) {
  if (!is_reusable()) return 0;
  const auto fields = fields_of(head, body);
  Stream& stream = add(nghttp2_session_get_next_stream_id(session_));
  stream.method = head.protocol.empty() ? head.method : Method::connect;
  stream.is_bodyless = body.is_empty() && body.kind != BodySize::Kind::tunnel;
  begin_body(stream, body);
  const auto provider = H2Callbacks::provider_of(stream);
  nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(), stream.is_bodyless ? nullptr : &provider,
                         &stream);
  return stream.id;
}

void H2Codec::send_interim(StreamId id, const ResponseHead& head) {
  Stream* const stream = find_open(id);
  if (!stream || stream->outgoing != Stream::Message::head || head.status >= 200 || head.status == 101) return;
  const auto fields = fields_of(head, stream->method, BodySize::none());
  nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, static_cast<int32_t>(id), nullptr, fields.data(), fields.size(),
                         nullptr);
}

void H2Codec::send_response(StreamId id, const ResponseHead& head, BodySize body) {
  Stream* const stream = find_open(id);
  if (!stream || stream->outgoing != Stream::Message::head) return;
  const auto fields = fields_of(head, stream->method, body);
  stream->is_tunnel = head.status == 101;
  stream->is_bodyless = !stream->is_tunnel && (body.is_empty() || is_bodyless(stream->method, head.status));
  begin_body(*stream, body);
  const auto provider = H2Callbacks::provider_of(*stream);
  nghttp2_submit_response(session_, static_cast<int32_t>(id), fields.data(), fields.size(),
                          stream->is_bodyless ? nullptr : &provider);
}

void H2Codec::begin_body(Stream& stream, BodySize body) {
  stream.outgoing = Stream::Message::body;
  stream.is_counted = body.kind == BodySize::Kind::known;
  stream.to_send = body.bytes;
}

void H2Codec::send_data(StreamId id, Slice data) {
  Stream* const stream = find_open(id);
  if (!stream || stream->outgoing != Stream::Message::body || stream->is_bodyless || stream->has_all) return;
  if (stream->is_counted) {
    if (data.size() > stream->to_send) return reset(id, ErrorCode::internal);
    stream->to_send -= data.size();
  }
  held_ += data.size();
  hold(*stream, std::move(data));
  resume(*stream);
}

/// Few short pieces are packed among those of other streams. Many pieces of one stream, and pieces that would pin a
/// large buffer while many bytes wait, are copied into blocks of the stream.
void H2Codec::hold(Stream& stream, Slice data) {
  const bool is_short = data.size() <= kShort;
  if (is_short && stream.held.pieces() < kMostPacked) return stream.held.append(packer_.pack(data.view()));
  if (is_short || (held_ > kMuchHeld && data.size() <= kPinsMost)) return stream.held.append(data.view());
  stream.held.append(std::move(data));
}

void H2Codec::send_end(StreamId id, const Headers* trailers) {
  Stream* const stream = find_open(id);
  if (!stream || stream->outgoing != Stream::Message::body || stream->is_bodyless || stream->has_all) return;
  if (stream->is_counted && stream->to_send > 0) return reset(id, ErrorCode::internal);
  if (trailers && role_ == Role::client && list_size(*trailers) > head_limit()) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, static_cast<int32_t>(id), NGHTTP2_CANCEL);
    return lose(*stream, {ErrorCode::head_too_large, Side::client, "the endpoint takes no trailers of this size"});
  }
  stream->has_all = true;
  if (trailers) {
    for (const Header& trailer : *trailers) {
      if (!may_be_trailer(trailer)) continue;
      stream->trailers.append(trailer.name).push_back('\0');
      stream->trailers.append(trailer.value).push_back('\0');
    }
  }
  resume(*stream);
}

void H2Codec::resume(Stream& stream) {
  if (std::exchange(stream.is_deferred, false)) {
    nghttp2_session_resume_data(session_, static_cast<int32_t>(stream.id));
  }
}

/// Streams that waited for the Output to have room.
void H2Codec::resume_all() {
  for (Stream* const stream : streams_) {
    if (stream->life == Stream::Life::open && (!stream->held.is_empty() || stream->has_all)) resume(*stream);
  }
}

size_t H2Codec::held_back(StreamId id) const {
  const Stream* const stream = find_open(id);
  return stream ? stream->held.bytes() : 0;
}

bool H2Codec::is_holding(StreamId id) const {
  const Stream* const stream = find_open(id);
  if (!stream || stream->outgoing != Stream::Message::body) return false;
  return stream->has_all || stream->is_bodyless || !stream->held.is_empty();
}

uint64_t H2Codec::window_end(StreamId id) const {
  const Stream* const stream = is_holding(id) ? find_open(id) : nullptr;
  if (!stream) return UINT64_MAX;
  if (nghttp2_session_get_stream_remote_window_size(session_, static_cast<int32_t>(id)) <= 0) return stream->data_end;
  return is_window_closed() ? data_end_ : UINT64_MAX;
}

bool H2Codec::is_window_closed() const { return nghttp2_session_get_remote_window_size(session_) <= 0; }

/// One DATA frame: its head, and `bytes` of what is held, by reference.
void H2Codec::write_data(Stream& stream, std::string_view frame_head, size_t bytes) {
  output_.append(frame_head);
  guard_.has_moved(bytes);
  stream.data_end = data_end_ = output_.consumed() + output_.bytes() + bytes;
  const bool is_last = nghttp2_session_get_remote_window_size(session_) <= static_cast<int32_t>(bytes);
  if (is_last && bytes > 0) events_.on_window_closed();
  if (bytes == 0) return;
  held_ -= bytes;
  while (bytes > 0) {
    const size_t next = stream.held.front().size();
    if (next <= bytes) {
      pass_on(output_, stream.held.take_front());
    } else {
      pass_on(output_, stream.held.front().sub(0, bytes));
      stream.held.consume(bytes);
    }
    bytes -= std::min(next, bytes);
  }
  if (stream.held.is_empty()) unblocked_.push_back(stream.id);
}

/// Called for the last DATA frame.
void H2Codec::submit_trailers(Stream& stream) {
  const std::string_view text = stream.trailers;
  Arena arena(output_.pool());
  OutgoingFields fields(arena, static_cast<size_t>(std::ranges::count(text, '\0')) / 2);
  for (size_t at = 0; at < text.size();) {
    const auto name = text.substr(at, text.find('\0', at) - at);
    at += name.size() + 1;
    const auto value = text.substr(at, text.find('\0', at) - at);
    at += value.size() + 1;
    fields.add(name, value);
  }
  nghttp2_submit_trailer(session_, static_cast<int32_t>(stream.id), fields.data(), fields.size());
}

/// A server's stream stays open until the client has ended its request too, or the receiver resets the stream. A stream
/// without a receiver (the codec refused it with a status) is reset by the next flush.
void H2Codec::has_sent_end(Stream& stream) {
  stream.outgoing = Stream::Message::whole;
  if (role_ == Role::client || stream.incoming == Stream::Message::whole) return;
  if (stream.life == Stream::Life::open) {
    guard_.has_answered();
  } else {
    refused_.push_back(stream.id);
  }
}

void H2Codec::reset_refused() {
  for (const StreamId id : refused_) {
    if (find(id)) nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, static_cast<int32_t>(id), NGHTTP2_NO_ERROR);
  }
  refused_.clear();
}

}  // namespace weir::http
