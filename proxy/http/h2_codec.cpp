#include "http/h2_codec.h"

#include <algorithm>
#include <array>

#include "http/h2_codec_session.h"

namespace weir::http {

namespace {

constexpr size_t kKeptStreams = 16;       // free records that an idle connection may keep
constexpr uint32_t kMostRequests = 1000;  // at once to one upstream, whatever it allows
constexpr size_t kEnough = 256 * 1024;    // bytes in the Output: what follows waits until the socket has taken some
constexpr size_t kCongested = 1024;       // frames that wait for the socket, beside those of bodies
// A head that can't be decoded leaves the connection's compression unknown.
constexpr Error kBesides{ErrorCode::connection_reset, Side::self, "the head of another response ended the connection"};
constexpr std::array<uint8_t, 8> kDrainPing{'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'};
constexpr std::array<uint8_t, 8> kLifePing{'l', 'i', 'v', 'i', 'n', 'g', '?', ' '};

}  // namespace

H2Codec::H2Codec(Role role, const HeadLimits& limits, CodecEvents& events, Output& output, const H2Limits& h2_limits)
    : Codec(true),
      limits_(limits),
      first_window_(h2_limits.stream_window),
      widest_window_(h2_limits.widest_window),
      spare_window_(h2_limits.spare_window),
      events_(events),
      output_(output),
      recycler_(kKeptStreams),
      packer_(output.pool()),
      role_(role) {
  session_ = H2Callbacks::make_session(role, *this);
  submit_settings(h2_limits);
}

H2Codec::~H2Codec() {
  nghttp2_session_del(session_);
  for (Stream* stream : streams_) recycler_.destroy(stream);
}

void H2Codec::submit_settings(const H2Limits& limits) {
  std::array<nghttp2_settings_entry, 8> entries;
  size_t count = 0;
  const auto add = [&](int32_t id, uint32_t value) { entries[count++] = {id, value}; };
  add(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.stream_window);
  // nghttp2 ends the connection for a longer value: an endpoint that heeds this sends none.
  constexpr uint32_t kLongestValue = 64 * 1024;
  const uint32_t head = role_ == Role::client ? std::min(limits_.head_bytes, kLongestValue) : limits_.head_bytes;
  add(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, head);
  add(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, limits.header_table);
  add(NGHTTP2_SETTINGS_MAX_FRAME_SIZE, limits.frame);
  add(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1);
  if (role_ == Role::server) {
    add(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.streams);
    add(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
  } else {
    add(NGHTTP2_SETTINGS_ENABLE_PUSH, 0);
  }
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, entries.data(), count);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, static_cast<int32_t>(limits.connection_window));
}

Result<size_t> H2Codec::feed(const Slice& bytes) {
  if (has_failed_) return std::unexpected(malformed(fault_));
  if (!is_broken_) fault_ = {};
  guard_.has_read();
  input_ = &bytes;
  const auto used = nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  input_ = nullptr;
  if (used < 0 && !is_broken_) {
    fault_ = nghttp2_strerror(static_cast<int>(used));
    const bool is_flood = used == NGHTTP2_ERR_FLOODED;
    nghttp2_session_terminate_session(session_, is_flood ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
  }
  if (used < 0 || is_terminated()) return fail_all();
  return bytes.size();
}

/// Whether nghttp2 found a fault that ends the connection. It doesn't say so, but refuses to take another GOAWAY from
/// then on; until then, it looks at this one and finds that it names no stream of the peer's.
bool H2Codec::is_terminated() const {
  const int32_t not_the_peers = role_ == Role::server ? 2 : 1;
  return nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, not_the_peers, NGHTTP2_NO_ERROR, nullptr, 0) == 0;
}

std::unexpected<Error> H2Codec::fail_all() {
  has_failed_ = true;
  if (fault_.empty()) fault_ = "HTTP/2's rules were broken";
  const auto error = malformed(fault_);
  const bool is_others_fault = role_ == Role::client && block_of_ != 0;
  for (size_t i = streams_.size(); i-- > 0;) {
    if (i >= streams_.size()) continue;
    auto& stream = *streams_[i];
    lose(stream, is_others_fault && stream.id != block_of_ ? kBesides : error);
  }
  return std::unexpected(error);
}

Result<> H2Codec::feed_end() {
  if (has_failed_) return {};
  has_failed_ = true;
  fault_ = "bytes behind the end";
  std::optional<Error> first;
  for (size_t i = streams_.size(); i-- > 0;) {
    if (i >= streams_.size() || streams_[i]->life != Stream::Life::open) continue;
    const auto& stream = *streams_[i];
    Error error{ErrorCode::client_gone, Side::client, "the client closed the connection"};
    if (role_ == Role::client) {
      const bool is_begun = stream.incoming != Stream::Message::head;
      error = {ErrorCode::incomplete_response, Side::upstream,
               is_begun ? "the upstream closed inside a response" : "the upstream closed without a response"};
    }
    first = error;
    lose(*streams_[i], error);
  }
  if (first) return std::unexpected(*first);
  return {};
}

void H2Codec::flush() {
  if (!refused_.empty()) reset_refused();
  if (std::exchange(has_more_, false)) resume_all();
  const uint8_t* bytes = nullptr;
  while (!must_stop()) {
    const auto size = nghttp2_session_mem_send(session_, &bytes);
    if (size == NGHTTP2_ERR_NOMEM) throw std::bad_alloc();
    if (size <= 0) break;
    output_.append(std::string_view(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size)));
  }
  if (is_broken_ && !has_failed_) (void)fail_all();  // found while sending: feed will say so
  // What waits for a window waits long: it isn't to pin the buffers of other connections.
  if (held_ > 0) {
    for (Stream* stream : streams_) {
      if (!stream->held.is_empty()) stream->held.unpin();
    }
  }
  if (held_ == 0) packer_.clear();
  for (size_t i = 0; i < unblocked_.size(); ++i) events_.on_unblocked(unblocked_[i]);
  unblocked_.clear();
}

/// nghttp2 would go on as long as it has frames.
bool H2Codec::must_stop() {
  has_more_ = has_more_ || output_.bytes() >= kEnough;
  return has_more_;
}

/// nghttp2 may still have something to say that nobody has flushed.
void H2Codec::rest() {
  if (!streams_.empty() || nghttp2_session_want_write(session_) != 0) return;
  memory_.rest();
  recycler_.clear();
  streams_.shrink_to_fit();
  unblocked_.shrink_to_fit();
}

void H2Codec::judge(FloodGuard::Verdict verdict, std::string_view detail) {
  if (verdict == FloodGuard::Verdict::flood) break_off(NGHTTP2_ENHANCE_YOUR_CALM, detail);
}

void H2Codec::break_off(uint32_t code, std::string_view detail) {
  if (is_broken_) return;
  is_broken_ = true;
  fault_ = detail;
  nghttp2_session_terminate_session(session_, code);
}

/// Streams that the peer spoils cost a client its connection. An endpoint's connection carries streams of other
/// clients, and one client may be the cause of all bad responses: those streams end, and no new ones begin.
void H2Codec::waste_stream(std::string_view detail) {
  const auto verdict = guard_.wasted_stream();
  if (role_ == Role::server) {
    if (guard_.is_half_wasted() && !std::exchange(is_half_wasted_, true)) events_.on_half_wasted();
    return judge(verdict, detail);
  }
  if (verdict == FloodGuard::Verdict::flood) is_worn_ = true;
}

Error H2Codec::malformed(std::string_view detail) const {
  return {role_ == Role::server ? ErrorCode::bad_request : ErrorCode::protocol_error, peer(), detail};
}

void H2Codec::drain() {
  if (going_ != Going::open) return;
  going_ = role_ == Role::server ? Going::announcing : Going::leaving;
  if (role_ == Role::server) nghttp2_submit_shutdown_notice(session_);
}

/// nghttp2 ignores the streams that begin after the last GOAWAY.
void H2Codec::leave() {
  if (role_ == Role::client || going_ == Going::leaving) return drain();
  guard_.has_left();
  going_ = Going::announced;
  finish_drain();
}

/// The announcement has left. Requests that cross it on their way are still served; the answer to a ping behind it says
/// that none are left. Queued with it, the ping would overtake it.
void H2Codec::has_announced() {
  if (going_ != Going::announcing) return;
  going_ = Going::announced;
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, kDrainPing.data());
}

void H2Codec::ping() { nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, kLifePing.data()); }

/// An answer to a PING that was never sent says nothing.
void H2Codec::receive_pong(const uint8_t* payload) {
  finish_drain();
  if (std::equal(kLifePing.begin(), kLifePing.end(), payload)) events_.on_pong();
}

void H2Codec::finish_drain() {
  if (going_ != Going::announced) return;
  going_ = Going::leaving;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
}

bool H2Codec::is_reusable() const {
  if (has_failed_ || is_broken_ || is_worn_ || peer_goes_ || going_ == Going::leaving) return false;
  if (role_ == Role::client) return nghttp2_session_check_request_allowed(session_) != 0;
  return nghttp2_session_want_read(session_) != 0;
}

size_t H2Codec::head_limit() const {
  const uint32_t limit = nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE);
  return limit == UINT32_MAX ? SIZE_MAX : limit;
}

bool H2Codec::is_congested() const { return nghttp2_session_get_outbound_queue_size(session_) > kCongested; }

bool H2Codec::is_receiving() const {
  return std::ranges::any_of(streams_, [](const Stream* stream) {
    return stream->life == Stream::Life::open && stream->incoming != Stream::Message::whole;
  });
}

size_t H2Codec::capacity() const {
  if (role_ == Role::server || !is_reusable() || is_congested()) return 0;
  const auto allowed = nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  const auto most = std::min(allowed, kMostRequests);
  return most > open_ ? most - open_ : 0;
}

bool H2Codec::can_tunnel() const {
  return role_ == Role::server ||
         nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

}  // namespace weir::http
