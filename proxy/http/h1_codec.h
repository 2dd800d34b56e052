#pragma once

#include "http/chunked.h"
#include "http/codec.h"

namespace weir::http {

class HeadReader;
struct Marks;

/// HTTP/1.0 and 1.1 (RFC 9112). One message at a time in each direction: while a response is under way the
/// next pipelined request stays unread, and feed returns fewer bytes than it was given (0 from then on, until
/// the response is out).
///
/// The arena of a head must live until its `on_end`, or until `reset`: trailers go there too. Everything that
/// lasts only while a head is read lies in that arena, so a codec is small and has no buffer of its own.
///
/// A tunnel (101, or 2xx to CONNECT) starts on the server with `send_response` and on the client with
/// `on_response(…, BodySize::tunnel())`: from there `on_data` and `send_data` carry raw bytes, and `feed_end`
/// ends the peer's direction with one more `on_end`.
///
/// Errors: bad_request, uri_too_long, head_too_large, unsupported_{method,coding,version} of the client;
/// protocol_error and incomplete_response of the upstream.
class H1Codec final : public Codec {
 public:
  /// `events` and `output` outlive the codec.
  H1Codec(Role role, const HeadLimits& limits, CodecEvents& events, Output& output)
      : limits_(limits), events_(events), output_(output), role_(role) {}

  Result<size_t> feed(const Slice& bytes) override;
  Result<> feed_end() override;

  StreamId send_request(const RequestHead& head, BodySize body) override;
  void send_interim(StreamId stream, const ResponseHead& head) override;
  void send_response(StreamId stream, const ResponseHead& head, BodySize body) override;
  void send_data(StreamId stream, Slice data) override;
  void send_end(StreamId stream, const Headers* trailers) override;
  void reset(StreamId stream, ErrorCode code) override;
  void consumed(StreamId, size_t) override {}
  void flush() override {}
  size_t held_back(StreamId) const override { return 0; }

  void drain() override { draining_ = true; }
  bool is_idle() const override;
  bool is_reusable() const override { return reusable_; }
  bool is_receiving() const override;
  size_t capacity() const override { return is_idle() && is_reusable() ? 1 : 0; }
  bool can_tunnel() const override { return true; }

 private:
  enum class Reading : uint8_t { idle, head, counted, chunked, trailers, until_close, tunnel, whole, broken };
  enum class Writing : uint8_t { idle, head, bodyless, counted, chunked, until_close, tunnel, whole };

  Result<size_t> read(const Slice& bytes);
  Result<size_t> read_start(const Slice& bytes);
  Result<size_t> read_head(const Slice& bytes);
  Result<size_t> read_counted(const Slice& bytes);
  Result<size_t> read_chunked(const Slice& bytes);
  Result<size_t> read_trailers(const Slice& bytes);
  size_t read_raw(const Slice& bytes);

  void begin_message();
  void begin_head();
  std::unexpected<Error> refuse_start(std::string_view detail);
  Result<> finish_head();
  Result<> finish_request();
  Result<> finish_response();
  void begin_body(BodySize body, bool is_chunked);
  void finish_reading(Headers* trailers);
  void next_message();
  std::unexpected<Error> refuse(Error error);

  void begin_writing(BodySize body, Marks& marks);
  void mark_bodyless(const ResponseHead& head, BodySize body, Marks& marks) const;

  const HeadLimits limits_;  // a copy: a connection outlives the snapshot that it came under
  CodecEvents& events_;
  Output& output_;
  HeadReader* reader_ = nullptr;  // in the arena; null outside heads and trailers
  Arena* arena_ = nullptr;        // of the message that is read
  union {                         // where the reader writes
    RequestHead* request_ = nullptr;
    ResponseHead* response_;
    Headers* trailers_;
  };
  ChunkedReader chunks_;
  uint64_t to_read_ = 0;   // of a body of known length
  uint64_t to_write_ = 0;  // the same, outwards
  StreamId stream_ = 0;
  Role role_;
  Reading reading_ = Reading::idle;
  Writing writing_ = Writing::idle;
  Method method_ = Method::get;     // of the request under way
  Version peer_ = Version::http11;  // the version of the client's request
  uint8_t blank_bytes_ = 0;         // of empty lines in front of a request
  uint8_t interims_ = 0;            // 1xx heads of this response
  bool reusable_ = true;
  bool draining_ = false;
  bool keep_alive_ = true;  // what the client's Connection field asks for
  bool upgrade_asked_ = false;
};

static_assert(sizeof(H1Codec) <= 200, "an idle connection keeps its codec");

}  // namespace weir::http
