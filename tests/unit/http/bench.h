#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "base/arena.h"
#include "base/output.h"
#include "http/h1_codec.h"

namespace weir::http {

inline constexpr std::initializer_list<size_t> kFragments{1, 2, 3, 7, 31, 1 << 20};

/// Writes down everything that a codec reports, as text.
class Transcript : public CodecEvents {
 public:
  explicit Transcript(BlockPool& pool) : pool_(pool) {}

  RequestHead& begin_request(StreamId stream) override {
    last = stream;
    arenas_.emplace_back(pool_);
    return requests.emplace_back(arenas_.back());
  }
  ResponseHead* begin_response(StreamId) override {
    arenas_.emplace_back(pool_);
    return &responses.emplace_back(arenas_.back());
  }
  void on_request(StreamId stream, BodySize size) override {
    flush();
    const RequestHead& head = requests.back();
    text += "request " + std::to_string(stream) + " " + std::string(head.method_name) + " " +
            std::string(head.authority) + " " + std::string(head.path) + (head.has_query ? "?" : "") +
            std::string(head.query) + size_text(size) + "\n";
    add_fields(head.headers);
    if (when_request) when_request(stream);
  }
  void on_interim(StreamId) override { add_response("interim", BodySize::none()); }
  void on_response(StreamId, BodySize size) override { add_response("response", size); }
  void on_data(StreamId stream, Slice data) override {
    body += data.view();
    received += data.view();
    if (when_data) when_data(stream, data.size());
  }
  void on_end(StreamId stream, Headers* trailers) override {
    flush();
    text += "end\n";
    ++ends;
    if (trailers) add_fields(*trailers);
    if (when_end) when_end(stream);
  }
  void on_reset(StreamId stream, Error error) override {
    flush();
    text += "reset " + std::to_string(stream) + " " + std::string(name_of(error.code)) + "\n";
    resets.push_back(error);
  }
  void on_unblocked(StreamId stream) override { unblocked.push_back(stream); }
  void on_pong() override {
    flush();
    text += "pong\n";
  }

  /// What was reported so far; pieces of a body joined.
  const std::string& events() {
    flush();
    return text;
  }

  std::deque<RequestHead> requests;
  std::deque<ResponseHead> responses;
  std::string text;
  std::string body;      // since the last event of another kind
  std::string received;  // of all bodies
  int ends = 0;
  StreamId last = 0;  // the stream of the latest request
  std::vector<Error> resets;
  std::vector<StreamId> unblocked;
  std::function<void(StreamId, size_t)> when_data;
  std::function<void(StreamId)> when_request;
  std::function<void(StreamId)> when_end;

 private:
  static std::string size_text(BodySize size) {
    switch (size.kind) {
      case BodySize::Kind::none: return "";
      case BodySize::Kind::known: return " +" + std::to_string(size.bytes);
      case BodySize::Kind::unknown: return " +?";
      case BodySize::Kind::tunnel: return " tunnel";
    }
    return "";
  }
  void add_response(std::string_view kind, BodySize size) {
    flush();
    const ResponseHead& head = responses.back();
    text +=
        std::string(kind) + " " + std::to_string(head.status) + " " + std::string(head.reason) + size_text(size) + "\n";
    add_fields(head.headers);
  }
  void add_fields(const Headers& headers) {
    for (const Header& header : headers) {
      text += "  " + std::string(header.name) + "=" + std::string(header.value) + "\n";
    }
  }
  void flush() {
    if (!body.empty()) text += "data " + body + "\n";
    body.clear();
  }

  BlockPool& pool_;
  std::deque<Arena> arenas_;
};

/// A codec with a peer whose bytes come in pieces of `fragment`.
template <class AnyCodec>
struct BenchOf {
  explicit BenchOf(Role role, HeadLimits head_limits = {}, size_t fragment_size = 1 << 20)
      : BenchOf(nullptr, role, head_limits, fragment_size) {}
  /// One that writes to another's output.
  BenchOf(Output* to, Role role, HeadLimits head_limits = {}, size_t fragment_size = 1 << 20)
      : limits(head_limits), fragment(fragment_size), codec(role, limits, events, to ? *to : output) {}

  /// Returns how many bytes were used; stops where the codec does. Each piece is a copy of its own, so that a
  /// view of one that outlives it is found by ASan.
  size_t feed(std::string_view bytes) {
    size_t used = 0;
    while (used < bytes.size() && !error) {
      const std::string piece(bytes.substr(used, fragment));
      const auto outcome = codec.feed(Slice::literal(piece));
      if (!outcome) {
        error = outcome.error();
      } else {
        used += *outcome;
        if (*outcome < piece.size()) break;
      }
    }
    return used;
  }
  void feed_end() {
    if (const auto outcome = codec.feed_end(); !outcome) error = outcome.error();
  }
  /// What the codec has written since the last call.
  std::string sent() {
    codec.flush();
    std::string text;
    std::vector<iovec> vectors(64);
    while (!output.is_empty()) {
      const size_t count = output.gather(vectors);
      size_t bytes = 0;
      for (size_t i = 0; i < count; ++i) {
        text.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
        bytes += vectors[i].iov_len;
      }
      output.consume(bytes);
    }
    return text;
  }

  /// Server: a whole response of that body.
  void respond(uint16_t status, std::string_view body = {}) {
    ResponseHead head(arena);
    head.status = status;
    codec.send_response(events.last, head, BodySize::known(body.size()));
    if (!body.empty()) codec.send_data(events.last, Slice::literal(body));
    codec.send_end(events.last, nullptr);
  }
  /// Client: a request without a body.
  void ask(Method method = Method::get, std::initializer_list<Header> fields = {}) {
    RequestHead head(arena);
    head.method = method;
    head.authority = "a";
    head.path = "/";
    for (const Header& field : fields) head.headers.add(field.name, field.value);
    codec.send_end(codec.send_request(head, BodySize::none()), nullptr);
  }

  HeadLimits limits;
  size_t fragment;
  BlockPool pool{16 * 1024};
  Arena arena{pool};
  Output output{pool};
  Transcript events{pool};
  std::optional<Error> error;
  AnyCodec codec;
};

using Bench = BenchOf<H1Codec>;

}  // namespace weir::http
