#pragma once

#include <array>
#include <string_view>

namespace weir::http {

/// The handshake of RFC 6455 section 4 belongs to one HTTP/1.1 hop; HTTP/2 has none (RFC 8441 section 5). So a codec
/// takes Sec-WebSocket-Key and -Accept off the head that it reads, and puts its own on the one that it writes.
struct WebSocketHandshake {
  std::array<char, 24> key;
  std::array<char, 28> accept;  // what the answer to `key` must say

  static WebSocketHandshake of(std::string_view key);
  /// With a random key.
  static WebSocketHandshake make();
  std::string_view key_text() const { return {key.data(), key.size()}; }
  std::string_view accept_text() const { return {accept.data(), accept.size()}; }
};

inline constexpr std::string_view kWebSocket = "websocket";
/// 16 bytes in base64.
bool is_web_socket_key(std::string_view key);

}  // namespace weir::http
