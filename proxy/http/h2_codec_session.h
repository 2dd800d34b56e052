#pragma once

#include <nghttp2/nghttp2.h>

#include "http/h2_codec_stream.h"

namespace weir::http {

/// nghttp2's C callbacks. Each finds the codec and the stream, and says what happened in the codec's own words. They
/// are called from inside mem_recv and mem_send.
struct H2Callbacks {
  using Stream = H2Codec::Stream;

  /// A session whose callbacks reach `codec`. The caller deletes it.
  static nghttp2_session* make_session(Role role, H2Codec& codec);
  /// What nghttp2 asks for the stream's body.
  static nghttp2_data_provider provider_of(Stream& stream);

  // In.
  static int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* head, void* user) noexcept;
  static int on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user) noexcept;
  static int on_header(nghttp2_session* session, const nghttp2_frame* frame, nghttp2_rcbuf* name, nghttp2_rcbuf* value,
                       uint8_t flags, void* user) noexcept;
  static int on_invalid_header(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf*, nghttp2_rcbuf*, uint8_t,
                               void*) noexcept;
  static int on_data_chunk(nghttp2_session* session, uint8_t flags, int32_t id, const uint8_t* data, size_t size,
                           void* user) noexcept;
  static int on_frame_recv(nghttp2_session* session, const nghttp2_frame* frame, void* user) noexcept;
  static int on_invalid_frame(nghttp2_session* session, const nghttp2_frame* frame, int reason, void* user) noexcept;
  static int on_stream_close(nghttp2_session* session, int32_t id, uint32_t code, void* user) noexcept;

  // Out.
  static int on_frame_send(nghttp2_session* session, const nghttp2_frame* frame, void* user) noexcept;
  static ssize_t read_data(nghttp2_session*, int32_t id, uint8_t*, size_t most, uint32_t* flags,
                           nghttp2_data_source* source, void* user) noexcept;
  static int send_data(nghttp2_session*, nghttp2_frame*, const uint8_t* head, size_t size, nghttp2_data_source* source,
                       void* user) noexcept;

 private:
  static int verdict(const H2Codec& codec);
};

/// For nghttp2, which copies them.
nghttp2_mem functions_of(H2Memory& memory);

}  // namespace weir::http
