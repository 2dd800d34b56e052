#pragma once

#include <vector>

#include "base/packer.h"
#include "base/recycler.h"
#include "http/codec.h"
#include "http/flood_guard.h"
#include "http/h2_codec_memory.h"
#include "http/h2_head.h"

struct nghttp2_session;

namespace weir::http {

/// What an HTTP/2 peer may send. Both windows bound what is buffered for the peer, and open again as bytes are
/// consumed. The stream windows are the bound in practice: the connection window is twice the sum of all that streams
/// can have, so that streams whose bytes nobody consumes leave the others their flow (a window opens again once half of
/// it is used).
struct H2Limits {
  uint32_t stream_window = 16 * 1024;            // bytes of each stream at first; up to 2^31-1
  uint32_t widest_window = 256 * 1024;           // bytes of a stream whose bytes are consumed as they come
  uint32_t spare_window = 1024 * 1024;           // bytes by which all streams together may exceed `stream_window`
  uint32_t connection_window = 6 * 1024 * 1024;  // bytes; 65535 at least
  uint32_t streams = 128;                        // server: open at once
  uint32_t header_table = 4096;                  // bytes of HPACK state
  uint32_t frame = 16 * 1024;                    // bytes; 16 KiB to 16 MiB - 1
};

/// HTTP/2 (RFC 9113) on nghttp2, with tunnels by extended CONNECT (RFC 8441). By prior knowledge or ALPN; there is no
/// upgrade from HTTP/1.1, and nothing is pushed.
///
/// Only `flush` writes to the Output. It is to follow each feed and each send, or once for many of them: windows,
/// acknowledgements and resets leave by it too.
///
/// The arena of a head must live until its `on_end` or `on_reset`, or until `reset`: trailers go there too.
///
/// A stream ends by `on_end` and `send_end`, or by a reset of either side, and is forgotten then: calls that name it
/// do nothing. A server whose response ends before the request is whole resets the stream once the response has left
/// the Output: some clients drop a response whose END_STREAM and RST_STREAM arrive in one read.
///
/// A tunnel is a request with `protocol` and BodySize::tunnel(), whose 101 stands for the 2xx of the wire. From there
/// on_data and send_data are raw, and each side ends its direction.
///
/// Answers leave in the order that the client asks for by `priority` fields and PRIORITY_UPDATE frames (RFC 9218). The
/// frames end here: what they rank is the streams of one connection.
///
/// What costs a stream comes as on_reset: malformed requests (bad_request; one whose head is too large has been
/// answered by the codec with 431 or 414) and responses (protocol_error), resets of the peer (client_gone;
/// connection_reset, safe to retry when the stream was refused). What costs the connection comes as on_reset for every
/// stream and as feed's Error: bad_request of the client, floods too; protocol_error of the upstream.
class H2Codec final : public Codec {
 public:
  /// `events` and `output` outlive the codec.
  H2Codec(Role role, const HeadLimits& limits, CodecEvents& events, Output& output, const H2Limits& h2_limits = {});
  H2Codec(const H2Codec&) = delete;
  H2Codec& operator=(const H2Codec&) = delete;
  ~H2Codec() override;

  Result<size_t> feed(const Slice& bytes) override;
  Result<> feed_end() override;
  void flush() override;

  /// 0 when the connection takes no more requests.
  StreamId send_request(const RequestHead& head, BodySize body) override;
  void send_interim(StreamId stream, const ResponseHead& head) override;
  void send_response(StreamId stream, const ResponseHead& head, BodySize body) override;
  void send_data(StreamId stream, Slice data) override;
  size_t held_back(StreamId stream) const override;
  size_t held_back_of_all() const override { return held_; }
  bool is_holding(StreamId stream) const override;
  bool is_congested() const override;
  uint64_t window_end(StreamId stream) const override;
  void send_end(StreamId stream, const Headers* trailers) override;
  /// Stream 0 is the connection: GOAWAY.
  void reset(StreamId stream, ErrorCode code) override;
  void consumed(StreamId stream, size_t bytes) override;
  void widen(StreamId stream, uint32_t bytes) override;
  void ping() override;

  /// Server: GOAWAY in two steps (RFC 9113 section 6.8): new streams are served until the client has heard of it.
  void drain() override;
  void leave() override;
  bool is_idle() const override { return open_ == 0; }
  /// False once the last GOAWAY of either side is out.
  bool is_reusable() const override;
  bool is_receiving() const override;
  bool is_reading_head(StreamId stream) const override { return block_of_ != 0 && block_of_ == stream; }
  size_t capacity() const override;
  size_t head_limit() const override;
  bool is_window_closed() const override;
  bool can_tunnel() const override;
  void rest() override;

 private:
  friend struct H2Callbacks;  // nghttp2's C callbacks
  struct Stream;
  enum class Going : uint8_t { open, announcing, announced, leaving };
  using Ends = H2Head::Ends;

  // Streams.
  Stream& add(StreamId id);
  Stream* find(StreamId id) const;
  Stream* find_open(StreamId id) const;
  void retire(Stream& stream);
  void forget(Stream& stream);
  void lose(Stream& stream, Error error);
  void refuse(Stream& stream, Error error);
  void open_window(Stream& stream, uint32_t more);
  void lend_window(Stream& stream, size_t consumed);
  void has_closed(Stream& stream, uint32_t code);
  Error closing_error(const Stream& stream, uint32_t code) const;

  // The connection.
  void submit_settings(const H2Limits& limits);
  bool is_terminated() const;
  std::unexpected<Error> fail_all();
  void judge(FloodGuard::Verdict verdict, std::string_view detail);
  void break_off(uint32_t code, std::string_view detail);
  void waste_stream(std::string_view detail);
  Side peer() const { return role_ == Role::server ? Side::client : Side::upstream; }
  Error malformed(std::string_view detail) const;

  // Frames in.
  void begin_frame(uint8_t type, StreamId stream);
  void begin_head(StreamId stream);
  bool take_discarded(StreamId stream);
  void discard(StreamId stream);
  void begin_fields(Stream& stream);
  void add_field(H2Head::Text name, H2Head::Text value);
  void finish_fields(Stream& stream, Ends ends);
  void finish_request(Stream& stream, Ends ends);
  void finish_response(Stream& stream, Ends ends);
  void finish_trailers(Stream& stream);
  void receive_data(Stream& stream, std::string_view bytes);
  void release_last(Stream& stream);
  void finish_receiving(Stream& stream, Headers* trailers);
  void receive_reset(Stream& stream, uint32_t code);
  void receive_invalid(StreamId id, int reason);
  void receive_goaway(uint32_t code);
  void receive_priority(StreamId stream);
  void has_announced();
  void receive_pong(const uint8_t* payload);
  void finish_drain();

  // Frames out.
  bool must_stop();
  void resume(Stream& stream);
  void resume_all();
  void begin_body(Stream& stream, BodySize body);
  void hold(Stream& stream, Slice data);
  void write_data(Stream& stream, std::string_view frame_head, size_t bytes);
  void submit_trailers(Stream& stream);
  void has_sent_end(Stream& stream);
  void reset_refused();

  const HeadLimits limits_;
  const uint32_t first_window_;   // bytes, of each stream, by our SETTINGS
  const uint32_t widest_window_;  // bytes, of a stream
  uint32_t spare_window_;         // bytes that may be lent to streams
  CodecEvents& events_;
  Output& output_;
  H2Memory memory_;
  H2SessionRef session_{memory_};
  Recycler<Stream> recycler_;
  Packer packer_;                    // of short pieces that are held back
  std::vector<Stream*> streams_;     // by id
  std::vector<StreamId> unblocked_;  // in this flush
  std::vector<StreamId> refused_;    // answered by the codec itself in the last flush, the request not whole
  std::vector<StreamId> discarded_;  // role server: streams reset or refused by this side before the request's end
  const Slice* input_ = nullptr;     // what is fed now
  union {                            // where the fields go that are read now
    RequestHead* request_ = nullptr;
    ResponseHead* response_;
    Headers* trailers_;
  };
  H2Head head_;
  FloodGuard guard_;
  bool is_half_wasted_ = false;  // and that was told
  std::string_view fault_;       // why the connection is lost
  size_t held_ = 0;              // bytes held back of all streams
  uint64_t data_end_ = 0;        // of the last DATA frame, counted as Output::consumed
  uint32_t open_ = 0;            // streams
  uint32_t continuations_ = 0;
  StreamId block_of_ = 0;   // the stream whose header block is being read; 0: none
  StreamId next_head_ = 1;  // role server: the lowest id of a stream that the client may open
  Role role_;
  Going going_ = Going::open;
  bool has_failed_ = false;  // feed or feed_end has told so
  bool is_broken_ = false;
  bool is_worn_ = false;  // role client: the endpoint spoiled too many streams, no further ones are opened
  bool peer_goes_ = false;
  bool peer_wants_http1_ = false;     // by GOAWAY
  bool has_skipped_streams_ = false;  // role server: the client left out ids
  bool peer_prioritizes_ = false;     // by PRIORITY_UPDATE
};

}  // namespace weir::http
