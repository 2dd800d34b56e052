#pragma once

#include <cstdint>

#include "base/buffer.h"
#include "base/output.h"
#include "base/result.h"
#include "http/message.h"

namespace weir::http {

/// A request and its response on one connection. h1 counts them; h2 uses its own ids.
using StreamId = uint32_t;

enum class Role : uint8_t { server, client };

/// Sizes above which a message is refused, each with a status of its own.
struct HeadLimits {
  uint32_t request_line = 8 * 1024;  // 414
  uint32_t head_bytes = 32 * 1024;   // 431; request line included; trailers have the same bound
  uint32_t fields = 100;             // 431
  uint32_t chunk_extensions = 4096;  // bytes of all chunk extensions of one body: 400
  enum class Underscores : uint8_t { drop, keep, reject } underscores = Underscores::drop;  // X_Forwarded_For
};

/// What the peer did. Called from inside Codec::feed (on_reset and on_unblocked from flush too); the receiver must
/// not destroy the codec there, nor feed or flush it, but may call its send functions.
///
/// A receiver that destroys its side of a stream before the codec has closed the stream calls Codec::reset; no event of
/// the stream follows. Every receiver ignores events of a stream that it does not know.
class CodecEvents {
 public:
  virtual ~CodecEvents() = default;

  /// Server: the first byte of a request arrived. Where its head goes (it lives in the exchange's arena).
  virtual RequestHead& begin_request(StreamId stream) = 0;
  /// Server: the head is whole and keeps every framing rule. `on_data`s and one `on_end` follow (at once when the body
  /// is empty).
  virtual void on_request(StreamId stream, BodySize body) = 0;

  /// Client: where the head of the response (or of an interim one) goes. Null: nobody waits for this response any more,
  /// and the codec resets the stream.
  virtual ResponseHead* begin_response(StreamId stream) = 0;
  /// Client: a 1xx other than 101. Another begin_response follows.
  virtual void on_interim(StreamId stream) = 0;
  virtual void on_response(StreamId stream, BodySize body) = 0;

  /// A piece of the body, without its framing; a reference into the bytes that were fed.
  virtual void on_data(StreamId stream, Slice data) = 0;
  /// The body is whole. `trailers` may be null.
  virtual void on_end(StreamId stream, Headers* trailers) = 0;
  /// The peer gave this stream up (h2), or one of its messages broke a rule that costs only the stream, or the
  /// connection broke. The stream's last event; after begin_request it may be the only one.
  virtual void on_reset(StreamId stream, Error error) = 0;
  /// From inside flush: all bytes that were held back of this stream are in the Output. May come once more after the
  /// stream's end.
  virtual void on_unblocked(StreamId) {}
  /// The peer answered a `ping`.
  virtual void on_pong() {}
  /// Once: the client has wasted so many streams (reset before their answer, malformed) that few more end the
  /// connection.
  virtual void on_half_wasted() {}
  /// What the peer takes of all streams together is used up, until `Codec::is_window_closed` is false again.
  virtual void on_window_closed() {}
};

/// HTTP on the wire, either version, either side; does no I/O. Bytes in, events out; calls in, bytes out (to
/// the connection's Output). One thread.
class Codec {
 public:
  explicit Codec(bool is_multiplexed = false) : is_multiplexed_(is_multiplexed) {}
  virtual ~Codec() = default;

  /// Takes bytes from the peer. Returns how many were used: fewer than given when a message ended and the next
  /// may only be read once the response is out (h1), or when `pause` was called inside an event. An Error is
  /// the end of the connection; no byte after the fault has been looked at.
  virtual Result<size_t> feed(const Slice& bytes) = 0;
  /// The peer's FIN. An Error when a message is cut short by it; ends a body that runs until close.
  virtual Result<> feed_end() = 0;

  /// Moves to the Output what windows, priorities and the peer's settings allow now. On h2 nothing else writes there,
  /// so that the frames of many streams leave together.
  virtual void flush() = 0;

  /// Client: starts a request; its id. A known size is sent as Content-Length, an unknown one chunked (h1).
  /// `Host`, `Connection`, `Content-Length`, `Transfer-Encoding` of `head.headers` are skipped: the codec writes
  /// its own (Host from head.authority).
  virtual StreamId send_request(const RequestHead& head, BodySize body) = 0;

  /// Server: a 1xx.
  virtual void send_interim(StreamId stream, const ResponseHead& head) = 0;
  /// Server: the final head. Framing fields of `head` are skipped and written anew from `body`; for HEAD and 304,
  /// where there is no body, a Content-Length in `head` is kept (RFC 9110 section 8.6).
  virtual void send_response(StreamId stream, const ResponseHead& head, BodySize body) = 0;
  virtual void send_data(StreamId stream, Slice data) = 0;
  /// The last `flush` has left frames behind, since the Output had enough (h2).
  bool has_more() const { return has_more_; }
  /// So many frames wait for the socket that nothing more should be received from the peer, or sent to it (h2).
  virtual bool is_congested() const { return false; }

  /// Bytes of send_data that wait for the peer's window or for flush.
  virtual size_t held_back(StreamId stream) const = 0;
  /// The same of all streams.
  virtual size_t held_back_of_all() const { return 0; }
  /// A part of the stream's message that was handed in, its end included, is not in the Output yet.
  virtual bool is_holding(StreamId) const { return false; }
  /// While a flow-control window of the peer keeps the stream's next byte back: where the last byte that this window
  /// let through ends, counted as Output::consumed does. UINT64_MAX: no window keeps it back (h2).
  virtual uint64_t window_end(StreamId) const { return UINT64_MAX; }
  /// Ends the body. Trailers go out only where the framing can carry them.
  virtual void send_end(StreamId stream, const Headers* trailers) = 0;
  /// The largest head or trailers that the peer takes, in bytes as `list_size` counts; SIZE_MAX: it has named no bound.
  /// A peer may end the connection, with all its streams, for a larger one (h2).
  virtual size_t head_limit() const { return SIZE_MAX; }
  /// The peer takes no bytes of any body now (h2).
  virtual bool is_window_closed() const { return false; }
  /// Gives the stream up: RST_STREAM, or on h1 a connection that can't be used again. A stream that the codec has
  /// closed is left alone. A server whose response has left sends NO_ERROR, whatever `code` is (RFC 9113 section 8.1).
  virtual void reset(StreamId stream, ErrorCode code) = 0;

  /// The bytes of `on_data` that were passed on, or dropped: opens the peer's windows again (h2; nothing on h1). Every
  /// byte comes back here, those of a stream that has ended too; only a reset, in either direction, settles the rest.
  virtual void consumed(StreamId stream, size_t bytes) = 0;
  /// Client: asks the peer for a sign of life; `on_pong` reports the answer (h2; nothing on h1).
  virtual void ping() {}

  /// Client: lets the peer send `bytes` of the stream's body ahead of `consumed` (h2: the stream's window, never less
  /// than before). May be called before the request has left: the window leaves with it.
  virtual void widen(StreamId, uint32_t) {}

  /// Bytes of the body under way that may go from socket to socket past the codec, since they have no framing: 0 where
  /// it must see each of them. What did pass is told by `passed_in` and `passed_out`; never more than that.
  virtual uint64_t may_pass_in(StreamId) const { return 0; }
  virtual uint64_t may_pass_out(StreamId) const { return 0; }
  virtual void passed_in(StreamId, uint64_t) {}
  virtual void passed_out(StreamId, uint64_t) {}

  /// No new stream after those that run: `Connection: close` on the next response, or GOAWAY.
  virtual void drain() = 0;
  /// The same at once: requests that are on their way get no answer, and the peer may send them elsewhere.
  virtual void leave() { drain(); }
  /// No message is under way in either direction, and another may follow on this connection.
  virtual bool is_idle() const = 0;
  /// What was sent ends a direction of the connection itself (a tunnel's): FIN follows it.
  virtual bool ends_with_fin() const { return false; }
  /// The connection may carry another message once the ones under way are done.
  virtual bool is_reusable() const = 0;
  /// A message from the peer has begun and isn't whole yet.
  virtual bool is_receiving() const = 0;
  /// Server: the stream's header block has begun and isn't whole: no frame of any other stream can come before its end
  /// (h2).
  virtual bool is_reading_head(StreamId) const { return false; }
  /// Many streams at once, each held by its own window: then the connection is read all the time.
  bool is_multiplexed() const { return is_multiplexed_; }
  /// Client: how many more requests this connection takes now.
  virtual size_t capacity() const = 0;
  /// Client: a request may ask for a tunnel (`RequestHead::protocol`).
  virtual bool can_tunnel() const = 0;

  /// Gives back what an idle connection doesn't need until it is used again.
  virtual void rest() {}

 protected:
  bool has_more_ = false;

 private:
  const bool is_multiplexed_;
};

}  // namespace weir::http
