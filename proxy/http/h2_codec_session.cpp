#include "http/h2_codec_session.h"

#include <algorithm>
#include <new>
#include <utility>

namespace weir::http {

namespace {

using Ends = H2Head::Ends;

H2Codec& codec_of(void* user) { return *static_cast<H2Codec*>(user); }

Ends ends(const nghttp2_frame* frame) { return frame->hd.flags & NGHTTP2_FLAG_END_STREAM ? Ends::yes : Ends::no; }

H2Head::Text text_of(nghttp2_rcbuf* buffer) {
  const auto bytes = nghttp2_rcbuf_get_buf(buffer);
  return {{reinterpret_cast<const char*>(bytes.base), bytes.len}, nghttp2_rcbuf_is_static(buffer) != 0};
}

/// The stream that a PRIORITY_UPDATE is about.
StreamId prioritized(const nghttp2_frame* frame) {
  return static_cast<StreamId>(static_cast<const nghttp2_ext_priority_update*>(frame->ext.payload)->stream_id);
}

H2Callbacks::Stream* stream_of(nghttp2_session* session, int32_t id) {
  return id == 0 ? nullptr : static_cast<H2Callbacks::Stream*>(nghttp2_session_get_stream_user_data(session, id));
}

H2Callbacks::Stream* open_stream_of(nghttp2_session* session, int32_t id) {
  auto* const stream = stream_of(session, id);
  return stream && stream->life == H2Callbacks::Stream::Life::open ? stream : nullptr;
}

}  // namespace

// Behind a frame that ends the connection no more is read.
int H2Callbacks::verdict(const H2Codec& codec) { return codec.is_broken_ ? NGHTTP2_ERR_CALLBACK_FAILURE : 0; }

int H2Callbacks::on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* head, void* user) noexcept {
  codec_of(user).begin_frame(head->type, static_cast<StreamId>(head->stream_id));
  return verdict(codec_of(user));
}

int H2Callbacks::on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user) noexcept {
  auto& codec = codec_of(user);
  const auto id = frame->hd.stream_id;
  if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
    nghttp2_session_set_stream_user_data(session, id, &codec.add(static_cast<StreamId>(id)));
  }
  if (auto* const stream = open_stream_of(session, id)) codec.begin_fields(*stream);
  return 0;
}

int H2Callbacks::on_header(nghttp2_session* session, const nghttp2_frame* frame, nghttp2_rcbuf* name,
                           nghttp2_rcbuf* value, uint8_t, void* user) noexcept {
  if (open_stream_of(session, frame->hd.stream_id)) codec_of(user).add_field(text_of(name), text_of(value));
  return verdict(codec_of(user));
}

// Without this one, nghttp2 drops such fields and goes on.
int H2Callbacks::on_invalid_header(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf*, nghttp2_rcbuf*, uint8_t,
                                   void*) noexcept {
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

int H2Callbacks::on_data_chunk(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data, size_t size,
                               void* user) noexcept {
  if (auto* const stream = open_stream_of(session, id)) {
    codec_of(user).receive_data(*stream, {reinterpret_cast<const char*>(data), size});
  } else {
    nghttp2_session_consume_connection(session, size);
  }
  return 0;
}

int H2Callbacks::on_frame_recv(nghttp2_session* session, const nghttp2_frame* frame, void* user) noexcept {
  auto& codec = codec_of(user);
  auto* const stream = open_stream_of(session, frame->hd.stream_id);
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
      if (stream) codec.finish_fields(*stream, ends(frame));
      break;
    case NGHTTP2_DATA:
      if (stream && ends(frame) == Ends::yes) codec.finish_receiving(*stream, nullptr);
      break;
    case NGHTTP2_RST_STREAM:
      if (stream) codec.receive_reset(*stream, frame->rst_stream.error_code);
      break;
    case NGHTTP2_PING:
      if (frame->hd.flags & NGHTTP2_FLAG_ACK) codec.receive_pong(frame->ping.opaque_data);
      break;
    case NGHTTP2_GOAWAY: codec.receive_goaway(frame->goaway.error_code); break;
    case NGHTTP2_PRIORITY_UPDATE: codec.receive_priority(prioritized(frame)); break;
    default: break;
  }
  return verdict(codec);
}

int H2Callbacks::on_invalid_frame(nghttp2_session*, const nghttp2_frame* frame, int reason, void* user) noexcept {
  codec_of(user).receive_invalid(static_cast<StreamId>(frame->hd.stream_id), reason);
  return verdict(codec_of(user));
}

int H2Callbacks::on_stream_close(nghttp2_session* session, int32_t id, uint32_t code, void* user) noexcept {
  if (auto* const stream = stream_of(session, id)) codec_of(user).has_closed(*stream, code);
  return 0;
}

int H2Callbacks::on_frame_send(nghttp2_session* session, const nghttp2_frame* frame, void* user) noexcept {
  if (frame->hd.type == NGHTTP2_GOAWAY) codec_of(user).has_announced();
  auto* const stream = stream_of(session, frame->hd.stream_id);
  if (!stream) return 0;
  if (frame->hd.type == NGHTTP2_RST_STREAM && stream->incoming != Stream::Message::whole) {
    codec_of(user).discard(stream->id);
  }
  if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
  // nghttp2 has no stream before its HEADERS have left.
  if (!std::exchange(stream->has_left, true)) {
    codec_of(user).open_window(*stream, stream->window - codec_of(user).first_window_ - stream->lent);
  }
  if (ends(frame) == Ends::yes) codec_of(user).has_sent_end(*stream);
  return 0;
}

ssize_t H2Callbacks::read_data(nghttp2_session*, int32_t, uint8_t*, size_t most, uint32_t* flags,
                               nghttp2_data_source* source, void* user) noexcept {
  auto& stream = *static_cast<Stream*>(source->ptr);
  if (codec_of(user).must_stop()) {
    stream.is_deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  const size_t bytes = std::min(most, stream.held.bytes());
  const bool is_last = stream.has_all && bytes == stream.held.bytes();
  if ((bytes == 0 && !is_last) || stream.life != Stream::Life::open) {
    stream.is_deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (is_last) *flags |= NGHTTP2_DATA_FLAG_EOF;
  if (is_last && !stream.trailers.empty()) {
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    codec_of(user).submit_trailers(stream);
  }
  return static_cast<ssize_t>(bytes);
}

int H2Callbacks::send_data(nghttp2_session*, nghttp2_frame*, const uint8_t* head, size_t size,
                           nghttp2_data_source* source, void* user) noexcept {
  constexpr size_t kFrameHead = 9;
  auto& stream = *static_cast<Stream*>(source->ptr);
  codec_of(user).write_data(stream, {reinterpret_cast<const char*>(head), kFrameHead}, size);
  return 0;
}

namespace {

/// What all sessions have in common. Made once, and only read from then on.
struct Setup {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;

  Setup() {
    if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0) throw std::bad_alloc();
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, H2Callbacks::on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, H2Callbacks::on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, H2Callbacks::on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, H2Callbacks::on_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, H2Callbacks::on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, H2Callbacks::on_frame_recv);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, H2Callbacks::on_invalid_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, H2Callbacks::on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, H2Callbacks::on_frame_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, H2Callbacks::send_data);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_reserved_remote_streams(option, 0);
    nghttp2_option_set_builtin_recv_extension_type(option, NGHTTP2_PRIORITY_UPDATE);
    nghttp2_option_set_max_continuations(option, 1000);  // it counts reads, not frames; begin_frame counts these
    nghttp2_option_set_max_send_header_block_length(option, 1024 * 1024);  // too large a head never gets here
  }
  ~Setup() {
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
  }
};

}  // namespace

nghttp2_session* H2Callbacks::make_session(Role role, H2Codec& codec) {
  static const Setup setup;
  nghttp2_session* session = nullptr;
  const auto make = role == Role::server ? nghttp2_session_server_new3 : nghttp2_session_client_new3;
  auto memory = functions_of(codec.memory_);
  if (make(&session, setup.callbacks, &codec, setup.option, &memory) != 0) throw std::bad_alloc();
  codec.memory_.has_made_session();
  return session;
}

nghttp2_data_provider H2Callbacks::provider_of(Stream& stream) {
  return {.source = {.ptr = &stream}, .read_callback = read_data};
}

}  // namespace weir::http
