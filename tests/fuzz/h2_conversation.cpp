#include <cstdio>
#include <cstdlib>
#include <map>
#include <vector>

#include "unit/http/h2_bench.h"

// Whole HTTP/2 conversations. The first byte is the role and the fragment size; each frame that the peer sends is made
// of a type, flags, a stream, a length and that many bytes. Whatever comes, the events of each stream keep their order,
// and mean the same in one piece and in pieces.

namespace weir::http {

namespace {

constexpr size_t kMostFrames = 400;  // fewer than a flood: how much of one is let in depends on the pieces

[[noreturn]] void stop() { std::abort(); }

/// Keeps to the order of events, or stops the fuzzer.
class Watch final : public CodecEvents {
 public:
  explicit Watch(Transcript& transcript) : transcript_(transcript) {}

  RequestHead& begin_request(StreamId stream) override {
    if (!states_.emplace(stream, State::begun).second) stop();
    return transcript_.begin_request(stream);
  }
  void on_request(StreamId stream, BodySize size) override {
    move(stream, State::begun, State::body);
    transcript_.on_request(stream, size);
  }
  ResponseHead* begin_response(StreamId stream) override {
    states_.emplace(stream, State::begun);
    move(stream, State::begun, State::begun);
    return transcript_.begin_response(stream);
  }
  void on_interim(StreamId stream) override {
    move(stream, State::begun, State::begun);
    transcript_.on_interim(stream);
  }
  void on_response(StreamId stream, BodySize size) override {
    move(stream, State::begun, State::body);
    transcript_.on_response(stream, size);
  }
  void on_data(StreamId stream, Slice data) override {
    move(stream, State::body, State::body);
    bodies_[stream] += data.view();
    transcript_.when_data(stream, data.size());
  }
  void on_end(StreamId stream, Headers* trailers) override {
    move(stream, State::body, State::ended);
    transcript_.text += bodies_[stream] + "\n";  // of one that is reset, more or less may have come
    transcript_.on_end(stream, trailers);
  }
  void on_reset(StreamId stream, Error error) override {
    if (states_[stream] == State::reset) stop();
    states_[stream] = State::reset;
    transcript_.on_reset(stream, error);
  }

 private:
  enum class State : uint8_t { begun, body, ended, reset };

  void move(StreamId stream, State from, State to) {
    if (states_.at(stream) != from) stop();
    states_[stream] = to;
  }

  Transcript& transcript_;
  std::map<StreamId, State> states_;
  std::map<StreamId, std::string> bodies_;
};

std::vector<std::string> frames_of(std::string_view bytes) {
  std::vector<std::string> frames;
  for (size_t count = 0; bytes.size() >= 4 && count < kMostFrames; ++count) {
    const auto type = static_cast<uint8_t>(bytes[0] % 11);
    const auto flags = static_cast<uint8_t>(bytes[1]);
    const StreamId stream = static_cast<uint8_t>(bytes[2]) % 16;
    const auto payload = bytes.substr(4, static_cast<uint8_t>(bytes[3]));
    frames.push_back(h2::frame(type, flags, stream, payload));
    bytes.remove_prefix(4 + payload.size());
  }
  return frames;
}

/// One side of a conversation, and what it made of it.
std::string converse(Role role, const std::vector<std::string>& frames, size_t fragment) {
  HeadLimits limits;
  limits.request_line = 100;
  limits.head_bytes = 500;
  limits.fields = 6;
  BlockPool pool(16 * 1024);
  Arena arena(pool);
  Output output(pool);
  Transcript transcript(pool);
  Watch watch(transcript);
  H2Codec codec(role, limits, watch, output);
  transcript.when_data = [&](StreamId stream, size_t size) { codec.consumed(stream, size / 2); };
  transcript.when_end = [&](StreamId stream) {
    ResponseHead head(arena);
    head.status = stream % 3 == 0 ? 101 : 200;
    codec.send_response(stream, head, BodySize::unknown());
    codec.send_data(stream, Slice::literal("hello"));
    codec.send_end(stream, nullptr);
  };
  if (role == Role::client) {
    for (const Method method : {Method::get, Method::head, Method::post, Method::get}) {
      RequestHead head(arena);
      head.method = method;
      head.authority = "a";
      head.path = "/";
      if (method == Method::post) head.protocol = "websocket";
      codec.send_request(head, method == Method::post ? BodySize::tunnel() : BodySize::none());
    }
  }
  codec.flush();
  output.clear();
  std::string text;
  const auto feed = [&](const std::string& bytes) {
    for (size_t used = 0; used < bytes.size() && text.empty(); used += fragment) {
      const std::string piece = bytes.substr(used, fragment);
      const auto outcome = codec.feed(Slice::literal(piece));
      if (!outcome) text = "error " + std::string(name_of(outcome.error().code));
    }
  };
  feed((role == Role::server ? h2::kMagic : "") + h2::settings() + h2::settings_ack());
  for (const auto& frame : frames) {
    if (codec.is_idle() && !codec.is_reusable()) break;  // nothing is read any more
    feed(frame);
  }
  codec.drain();
  codec.flush();
  if (text.empty()) (void)codec.feed_end();
  codec.flush();
  if (!codec.is_idle() || codec.is_reusable()) stop();
  return transcript.events() + text;
}

}  // namespace

}  // namespace weir::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::http;
  if (size == 0) return 0;
  const auto role = data[0] & 128 ? Role::client : Role::server;
  const auto frames = frames_of({reinterpret_cast<const char*>(data + 1), size - 1});
  const auto whole = converse(role, frames, 1000);
  const auto pieces = converse(role, frames, data[0] % 40 + 1);
  if (whole == pieces) return 0;
  std::fprintf(stderr, "whole:\n%s\npieces:\n%s\n", whole.c_str(), pieces.c_str());
  std::abort();
}
