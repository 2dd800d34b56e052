#include "http/h1_codec.h"

#include <algorithm>
#include <utility>

#include "http/framing.h"
#include "http/h1_writer.h"
#include "http/head_reader.h"
#include "http/hop_by_hop.h"
#include "http/websocket.h"

namespace weir::http {

namespace {

constexpr uint8_t kBlankBytes = 4;  // two CRLFs in front of a request (RFC 9112 section 2.2 asks for one)
constexpr uint8_t kInterims = 32;   // 1xx responses to one request

/// RFC 9110 section 8.6: a request whose method goes with content says so when it has none. Some servers wait for the
/// content otherwise, or answer 411.
bool expects_content(const RequestHead& head) {
  if (!head.protocol.empty()) return false;
  switch (head.method) {
    case Method::post:
    case Method::put:
    case Method::patch:
    case Method::query: return true;
    default: return false;
  }
}

}  // namespace

bool H1Codec::is_idle() const {
  return reading_ == Reading::idle && writing_ == Writing::idle && blank_bytes_ == 0 && reusable_;
}

bool H1Codec::is_receiving() const {
  switch (reading_) {
    case Reading::idle:
    case Reading::whole:
    case Reading::broken: return false;
    case Reading::head: return reader_ != nullptr;
    default: return true;
  }
}

// Bytes in.

Result<size_t> H1Codec::feed(const Slice& bytes) {
  size_t used = 0;
  while (used < bytes.size() && reading_ != Reading::whole && reading_ != Reading::broken) {
    if (role_ == Role::client && reading_ == Reading::idle) break;
    const auto step = read(bytes.sub(used));
    if (!step) return refuse(step.error());
    used += *step;
  }
  // An upstream that speaks without being asked would answer the next request with it.
  if (role_ == Role::client && used < bytes.size()) reusable_ = false;
  return used;
}

Result<size_t> H1Codec::read(const Slice& bytes) {
  switch (reading_) {
    case Reading::idle: return read_start(bytes);
    case Reading::head: return read_head(bytes);
    case Reading::counted: return read_counted(bytes);
    case Reading::chunked: return read_chunked(bytes);
    case Reading::trailers: return read_trailers(bytes);
    case Reading::until_close:
    case Reading::tunnel: return read_raw(bytes);
    case Reading::whole:
    case Reading::broken: break;
  }
  return size_t{0};
}

// Server: in front of a request. Empty lines there don't begin one.
Result<size_t> H1Codec::read_start(const Slice& bytes) {
  const char next = bytes.view().front();
  const bool in_crlf = blank_bytes_ % 2 == 1;
  if (in_crlf && next != '\n') return refuse_start("a bare CR");
  if (in_crlf || next == '\r') {
    if (++blank_bytes_ > kBlankBytes) return refuse_start("more than two empty lines in front of a request");
    return size_t{1};
  }
  begin_message();
  return read_head(bytes);
}

void H1Codec::begin_message() {
  blank_bytes_ = 0;
  ++stream_;
  method_ = Method::get;
  peer_ = Version::http11;
  keep_alive_ = true;
  reading_ = Reading::head;
}

// What begins no request is refused under an id of its own.
std::unexpected<Error> H1Codec::refuse_start(std::string_view detail) {
  begin_message();
  begin_head();
  return fail(ErrorCode::bad_request, Side::client, detail);
}

void H1Codec::begin_head() {
  if (role_ == Role::server) {
    request_ = &events_.begin_request(stream_);
    arena_ = &request_->headers.arena();
    reader_ = &arena_->make<HeadReader>(*request_, limits_);
  } else {
    response_ = events_.begin_response(stream_);
    if (!response_) return;
    arena_ = &response_->headers.arena();
    reader_ = &arena_->make<HeadReader>(*response_, limits_);
  }
}

Result<size_t> H1Codec::read_head(const Slice& bytes) {
  if (!reader_) begin_head();
  if (!reader_) return fail(ErrorCode::protocol_error, Side::upstream, "a response that no request waits for");
  const auto used = reader_->read(bytes.view());
  if (role_ == Role::server) {
    // Known from the request line on; an error response depends on them.
    method_ = request_->method;
    peer_ = request_->version;
  }
  if (!used) return used;
  if (reader_->is_complete()) {
    reader_ = nullptr;
    const auto finished = role_ == Role::server ? finish_request() : finish_response();
    if (!finished) return std::unexpected(finished.error());
  }
  return used;
}

Result<> H1Codec::finish_request() {
  const auto framing = frame_request(*request_);
  if (!framing) return std::unexpected(framing.error());
  keep_alive_ = framing->keep_alive;
  writing_ = Writing::head;
  if (framing->body.is_empty() && take_upgrade()) {
    reading_ = Reading::whole;  // until the tunnel is granted
    events_.on_request(stream_, BodySize::tunnel());
    return {};
  }
  begin_body(framing->body, framing->chunked);
  events_.on_request(stream_, framing->body);
  if (reading_ == Reading::counted && to_read_ == 0) finish_reading(nullptr);
  return {};
}

// A WebSocket is the one upgrade that is handled; any other is left to be removed with the hop-by-hop fields.
bool H1Codec::take_upgrade() {
  auto& headers = request_->headers;
  handshake_ = nullptr;
  if (!headers.may_have(set_of(Field::upgrade)) || method_ != Method::get || peer_ != Version::http11) return false;
  const auto key = headers.get("Sec-WebSocket-Key");
  if (!equals_ignoring_case(upgrade_of(headers), kWebSocket) || !key || !is_web_socket_key(*key)) return false;
  if (headers.get("Sec-WebSocket-Version") != "13") return false;
  handshake_ = &headers.arena().make<WebSocketHandshake>(WebSocketHandshake::of(*key));
  headers.remove("Sec-WebSocket-Key");
  request_->protocol = kWebSocket;
  return true;
}

// RFC 6455 section 4.1: what a client checks of the answer.
Result<> H1Codec::check_upgrade() {
  if (!handshake_) return fail(ErrorCode::protocol_error, Side::upstream, "101 to a request that asked for no upgrade");
  auto& headers = response_->headers;
  if (!equals_ignoring_case(upgrade_of(headers), kWebSocket)) {
    return fail(ErrorCode::protocol_error, Side::upstream, "101 that upgrades to something else");
  }
  if (headers.get("Sec-WebSocket-Accept") != handshake_->accept_text()) {
    return fail(ErrorCode::protocol_error, Side::upstream, "101 with a wrong Sec-WebSocket-Accept");
  }
  headers.remove("Sec-WebSocket-Accept");
  return {};
}

Result<> H1Codec::finish_response() {
  const auto framing = frame_response(*response_, method_);
  if (!framing) return std::unexpected(framing.error());
  const auto status = response_->status;
  if (status == 101) {
    if (auto checked = check_upgrade(); !checked) return checked;
  }
  if (status < 200 && status != 101) {
    if (++interims_ > kInterims) return fail(ErrorCode::protocol_error, Side::upstream, "too many 1xx responses");
    events_.on_interim(stream_);
    return {};
  }
  // A final response in front of the request's end: what is left of the request would be read as another.
  if (!framing->keep_alive || writing_ != Writing::whole) reusable_ = false;
  if (framing->body.kind == BodySize::Kind::tunnel) writing_ = Writing::tunnel;
  begin_body(framing->body, framing->chunked);
  events_.on_response(stream_, framing->body);
  if (reading_ == Reading::counted && to_read_ == 0) finish_reading(nullptr);
  return {};
}

// Before the head's event, in which the receiver may answer at once.
void H1Codec::begin_body(BodySize body, bool is_chunked) {
  if (is_chunked) {
    chunks_ = ChunkedReader(limits_.chunk_extensions);
    reading_ = Reading::chunked;
    return;
  }
  switch (body.kind) {
    case BodySize::Kind::none:
    case BodySize::Kind::known:
      to_read_ = body.bytes;
      reading_ = Reading::counted;
      break;
    case BodySize::Kind::unknown: reading_ = Reading::until_close; break;
    case BodySize::Kind::tunnel: reading_ = Reading::tunnel; break;
  }
}

Result<size_t> H1Codec::read_counted(const Slice& bytes) {
  const auto piece = bytes.view().substr(0, to_read_);
  to_read_ -= piece.size();
  events_.on_data(stream_, bytes.around(piece));
  if (to_read_ == 0 && reading_ == Reading::counted) finish_reading(nullptr);
  return piece.size();
}

Result<size_t> H1Codec::read_chunked(const Slice& bytes) {
  const auto step = chunks_.read(bytes.view());
  if (step.error) return fail(ErrorCode::bad_request, Side::client, step.error);
  if (chunks_.at_trailers()) reading_ = Reading::trailers;
  if (!step.data.empty()) events_.on_data(stream_, bytes.around(step.data));
  return step.used;
}

Result<size_t> H1Codec::read_trailers(const Slice& bytes) {
  constexpr std::string_view kNone = "\r\n";
  if (!reader_ && bytes.view().starts_with(kNone)) {
    finish_reading(nullptr);
    return kNone.size();
  }
  if (!reader_) {
    trailers_ = &arena_->make<Headers>(*arena_);
    reader_ = &arena_->make<HeadReader>(*trailers_, limits_, role_ == Role::server ? Side::client : Side::upstream);
  }
  const auto used = reader_->read(bytes.view());
  if (!used || !reader_->is_complete()) return used;
  reader_ = nullptr;
  trailers_->remove_if([](const Header& trailer) { return !may_be_trailer(trailer); });
  finish_reading(trailers_->empty() ? nullptr : trailers_);
  return used;
}

size_t H1Codec::read_raw(const Slice& bytes) {
  events_.on_data(stream_, bytes);
  return bytes.size();
}

void H1Codec::finish_reading(Headers* trailers) {
  const auto stream = stream_;
  reading_ = Reading::whole;
  arena_ = nullptr;
  next_message();
  events_.on_end(stream, trailers);
}

Result<> H1Codec::feed_end() {
  reusable_ = false;
  if (reading_ == Reading::tunnel) {
    reading_ = Reading::broken;
    events_.on_end(stream_, nullptr);
    return {};
  }
  if (reading_ == Reading::until_close) {
    finish_reading(nullptr);
    return {};
  }
  if (role_ == Role::server) {
    if (!is_receiving()) return {};
    return refuse({ErrorCode::client_gone, Side::client, "the client closed inside a request"});
  }
  if (is_receiving()) {
    return refuse({ErrorCode::incomplete_response, Side::upstream, "the upstream closed inside a response"});
  }
  if (reading_ == Reading::head) {
    return refuse({ErrorCode::incomplete_response, Side::upstream, "the upstream closed without a response"});
  }
  return {};
}

// Rules that hold for both sides are written down once, as the client's faults.
std::unexpected<Error> H1Codec::refuse(Error error) {
  reading_ = Reading::broken;
  reader_ = nullptr;
  arena_ = nullptr;
  reusable_ = false;
  if (role_ == Role::client && error.side == Side::client) {
    error.side = Side::upstream;
    error.code = ErrorCode::protocol_error;
  }
  return std::unexpected(error);
}

// Bytes out.

StreamId H1Codec::send_request(const RequestHead& head, BodySize body) {
  ++stream_;
  method_ = head.method;
  interims_ = 0;
  reading_ = Reading::head;
  Marks marks;
  handshake_ = nullptr;
  if (!head.protocol.empty()) {
    handshake_ = &head.headers.arena().make<WebSocketHandshake>(WebSocketHandshake::make());
    marks.upgrade = head.protocol;
    marks.key = handshake_->key_text();
  }
  if (draining_) {
    marks.connection = Marks::Connection::close;
    reusable_ = false;
  }
  begin_writing(body, marks);
  if (body.kind == BodySize::Kind::none && expects_content(head)) marks.length = Marks::Length::known;
  write_head(output_, head, marks);
  if (body.kind == BodySize::Kind::none || body.kind == BodySize::Kind::tunnel) writing_ = Writing::whole;
  return stream_;
}

void H1Codec::send_interim(StreamId, const ResponseHead& head) {
  if (peer_ != Version::http10 && writing_ == Writing::head) write_head(output_, head, {});
}

void H1Codec::send_response(StreamId, const ResponseHead& head, BodySize body) {
  if (writing_ != Writing::head && writing_ != Writing::idle) return;
  Marks marks;
  if (head.status == 101 || body.kind == BodySize::Kind::tunnel) {
    writing_ = Writing::tunnel;
    reusable_ = false;
    if (handshake_) {
      marks.upgrade = kWebSocket;
      marks.accept = handshake_->accept_text();
    }
    write_head(output_, head, marks);
    return next_message();
  }
  if (is_bodyless(method_, head.status)) {
    writing_ = Writing::bodyless;
    if (head.status != 204) mark_bodyless(head, body, marks);
  } else if (body.kind == BodySize::Kind::unknown && peer_ == Version::http10) {
    writing_ = Writing::until_close;
    reusable_ = false;
  } else {
    begin_writing(body.kind == BodySize::Kind::none ? BodySize::known(0) : body, marks);
  }
  if (draining_ || !keep_alive_) reusable_ = false;
  if (!reusable_) {
    marks.connection = Marks::Connection::close;
  } else if (peer_ == Version::http10) {
    marks.connection = Marks::Connection::keep_alive;
  }
  write_head(output_, head, marks);
}

// What a GET would have had (RFC 9110 section 8.6).
void H1Codec::mark_bodyless(const ResponseHead& head, BodySize body, Marks& marks) const {
  if (head.headers.has(Field::content_length)) {
    marks.length = Marks::Length::as_given;
  } else if (method_ == Method::head && body.kind == BodySize::Kind::known) {
    marks.length = Marks::Length::known;
    marks.bytes = body.bytes;
  }
}

void H1Codec::begin_writing(BodySize body, Marks& marks) {
  if (body.kind == BodySize::Kind::known) {
    writing_ = Writing::counted;
    to_write_ = body.bytes;
    marks.length = Marks::Length::known;
    marks.bytes = body.bytes;
  } else if (body.kind == BodySize::Kind::unknown) {
    writing_ = Writing::chunked;
    marks.length = Marks::Length::chunked;
  }
}

void H1Codec::send_data(StreamId stream, Slice data) {
  if (stream != stream_) return;
  switch (writing_) {
    case Writing::counted:
      if (data.size() > to_write_) {
        reusable_ = false;
        data = data.sub(0, to_write_);
      }
      to_write_ -= data.size();
      return output_.append(std::move(data));
    case Writing::chunked: return write_chunk(output_, std::move(data));
    case Writing::until_close:
    case Writing::tunnel: return output_.append(std::move(data));
    case Writing::idle:
    case Writing::head:
    case Writing::bodyless:
    case Writing::whole: return;
  }
}

void H1Codec::send_end(StreamId stream, const Headers* trailers) {
  if (stream != stream_ || writing_ == Writing::idle || writing_ == Writing::whole) return;
  if (writing_ == Writing::chunked) write_last_chunk(output_, trailers);
  if (writing_ == Writing::counted && to_write_ > 0) reusable_ = false;
  has_shut_ = writing_ == Writing::tunnel;
  writing_ = Writing::whole;
  next_message();
}

void H1Codec::reset(StreamId stream, ErrorCode) {
  if (stream != stream_) return;
  reusable_ = false;
  reading_ = Reading::broken;
  writing_ = Writing::whole;
  reader_ = nullptr;
  arena_ = nullptr;
}

// Only a body of known length has no framing and yet an end that is known.
uint64_t H1Codec::may_pass_in(StreamId stream) const {
  return stream == stream_ && reading_ == Reading::counted ? to_read_ : 0;
}

uint64_t H1Codec::may_pass_out(StreamId stream) const {
  return stream == stream_ && writing_ == Writing::counted ? to_write_ : 0;
}

void H1Codec::passed_in(StreamId, uint64_t bytes) {
  to_read_ -= bytes;
  if (to_read_ == 0) finish_reading(nullptr);
}

// What follows once a direction is done with its message.
void H1Codec::next_message() {
  if (reading_ != Reading::whole) return;
  if (writing_ == Writing::tunnel) reading_ = Reading::tunnel;
  if (writing_ != Writing::whole) return;
  reading_ = reusable_ ? Reading::idle : Reading::broken;
  writing_ = Writing::idle;
}

}  // namespace weir::http
