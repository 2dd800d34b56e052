#pragma once

#include <nghttp2/nghttp2.h>

#include <string>
#include <vector>

#include "bench.h"
#include "http/h2_codec.h"

namespace weir::http {

/// Frames made by hand, as no well-behaved library would.
namespace h2 {

inline std::string number(uint64_t value, int bytes) {
  std::string text;
  while (bytes-- > 0) text += static_cast<char>(value >> (8 * bytes));
  return text;
}

inline std::string frame(uint8_t type, uint8_t flags, StreamId stream, std::string_view payload = {}) {
  return number(payload.size(), 3) + static_cast<char>(type) + static_cast<char>(flags) + number(stream, 4) +
         std::string(payload);
}

inline const std::string kMagic = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline std::string settings(std::string_view entries = {}) { return frame(NGHTTP2_SETTINGS, 0, 0, entries); }
inline std::string setting(uint16_t id, uint32_t value) { return number(id, 2) + number(value, 4); }
inline std::string settings_ack() { return frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0); }
inline std::string ping() { return frame(NGHTTP2_PING, 0, 0, "12345678"); }
inline std::string window_update(StreamId stream, uint32_t bytes) {
  return frame(NGHTTP2_WINDOW_UPDATE, 0, stream, number(bytes, 4));
}
inline std::string rst_stream(StreamId stream, uint32_t code) {
  return frame(NGHTTP2_RST_STREAM, 0, stream, number(code, 4));
}
inline std::string goaway(StreamId last, uint32_t code) {
  return frame(NGHTTP2_GOAWAY, 0, 0, number(last, 4) + number(code, 4));
}

inline constexpr uint8_t kEndStream = NGHTTP2_FLAG_END_STREAM;
inline constexpr uint8_t kEndHeaders = NGHTTP2_FLAG_END_HEADERS;

inline std::string data(StreamId stream, std::string_view bytes, uint8_t flags = 0) {
  return frame(NGHTTP2_DATA, flags, stream, bytes);
}

/// RFC 7541 section 5.1, behind a first byte whose other bits are 0.
inline std::string integer(size_t value, unsigned bits) {
  const size_t most = (size_t{1} << bits) - 1;
  if (value < most) return std::string(1, static_cast<char>(value));
  std::string text(1, static_cast<char>(most));
  for (value -= most; value >= 128; value /= 128) text += static_cast<char>(value % 128 + 128);
  return text + static_cast<char>(value);
}

struct Field {
  std::string name;
  std::string value;
};
using Fields = std::vector<Field>;

/// A header block of literals, none of them indexed.
inline std::string block(const Fields& fields) {
  std::string text;
  for (const auto& [name, value] : fields) {
    text += '\0' + integer(name.size(), 7) + name + integer(value.size(), 7) + value;
  }
  return text;
}

inline std::string headers(StreamId stream, const Fields& fields, uint8_t flags = kEndStream) {
  return frame(NGHTTP2_HEADERS, flags | kEndHeaders, stream, block(fields));
}

inline Fields with(Fields fields, const Fields& more) {
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

/// What a plain request has.
inline const Fields kGet{{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}};
inline const Fields kPost{{":method", "POST"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}};
inline const Fields kOk{{":status", "200"}};

/// The frames in these bytes, a word for each: "HEADERS 1 END", "RST_STREAM 3 CANCEL", "DATA 1 5". Without the settings
/// of the start and their acknowledgement, and WINDOW_UPDATEs.
inline std::string list(std::string_view bytes) {
  std::string text;
  while (bytes.size() >= 9) {
    const auto at = [&](size_t offset, int count) {
      uint32_t value = 0;
      for (int i = 0; i < count; ++i) value = value * 256 + static_cast<uint8_t>(bytes[offset + i]);
      return value;
    };
    const auto size = at(0, 3);
    const auto type = at(3, 1);
    const auto flags = at(4, 1);
    const auto stream = std::to_string(at(5, 4));
    const auto end = flags & kEndStream ? " END" : "";
    std::string word;
    switch (type) {
      case NGHTTP2_DATA: word = "DATA " + stream + " " + std::to_string(size) + end; break;
      case NGHTTP2_HEADERS: word = "HEADERS " + stream + end; break;
      case NGHTTP2_RST_STREAM: word = "RST_STREAM " + stream + " " + nghttp2_http2_strerror(at(9, 4)); break;
      case NGHTTP2_PING: word = flags & NGHTTP2_FLAG_ACK ? "PONG" : "PING"; break;
      case NGHTTP2_GOAWAY: word = "GOAWAY " + std::to_string(at(9, 4)) + " " + nghttp2_http2_strerror(at(13, 4)); break;
      default: break;
    }
    if (!word.empty()) text += (text.empty() ? "" : ", ") + word;
    bytes.remove_prefix(9 + size);
  }
  return text;
}

}  // namespace h2

/// A codec that has exchanged settings with a peer whose frames are made by hand.
struct H2Bench : BenchOf<H2Codec> {
  explicit H2Bench(Role role, HeadLimits limits = {}, size_t fragment = 1 << 20, std::string_view peers_settings = {})
      : BenchOf(role, limits, fragment) {
    feed((role == Role::server ? h2::kMagic : "") + h2::settings(peers_settings) + h2::settings_ack());
    sent();
  }
  /// What it sends now, as a list of words.
  std::string frames() { return h2::list(sent()); }

  ResponseHead response(uint16_t status) {
    ResponseHead head(arena);
    head.status = status;
    return head;
  }
};

}  // namespace weir::http
