#pragma once

#include <string>

#include "http/h2_codec.h"

namespace weir::http {

/// What the codec knows of a stream. Lives as long as nghttp2's own stream does, or until all its bytes are consumed.
struct H2Codec::Stream {
  enum class Life : uint8_t {
    open,
    ending,  // for the receiver it's over, for nghttp2 not yet
    owing,   // over, except for bytes not consumed yet
  };
  /// How far a message is, one for each direction.
  enum class Message : uint8_t { head, body, whole };

  Stream(StreamId stream_id, uint32_t first_window, BlockPool& pool)
      : id(stream_id), window(first_window), held(pool) {}

  StreamId id;
  uint32_t unconsumed = 0;  // bytes of on_data
  uint32_t window;          // bytes
  uint32_t lent = 0;        // bytes of `window` that are the codec's to lend
  uint32_t used = 0;        // bytes consumed since `window` was last changed
  uint64_t to_send = 0;     // of a body of known size
  uint64_t data_end = 0;    // of its last DATA frame, counted as Output::consumed
  Life life = Life::open;
  Message incoming = Message::head;
  Message outgoing = Message::head;  // whole: its end has left
  Method method = Method::get;       // connect: a tunnel was asked for
  uint8_t interims = 0;
  bool has_left = false;     // client: the request has been sent
  bool is_tunnel = false;    // granted
  bool is_counted = false;   // the body to send has a known size
  bool is_bodyless = false;  // nothing but a head is sent
  bool has_all = false;      // send_end was called
  bool is_deferred = false;  // nghttp2 waits for more of the body
  Arena* arena = nullptr;    // of the head that was received
  uint64_t to_come = 0;      // bytes of a request's body of known size
  bool has_length = false;   // `to_come` counts
  bool awaits_end = false;   // a request of length 0, not reported until its end
  Slice last_piece;          // of a request's body of known size, not reported until the end
  Output held;               // what wasn't sent yet
  std::string trailers;      // to send: each name and value with a NUL behind it
};

}  // namespace weir::http
