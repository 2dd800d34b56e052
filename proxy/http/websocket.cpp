#include "http/websocket.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace weir::http {

namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 section 1.3

template <size_t bytes, size_t characters>
void encode(const std::array<unsigned char, bytes>& from, std::array<char, characters>& to) {
  std::array<unsigned char, characters + 1> text;  // EVP_EncodeBlock adds a NUL
  EVP_EncodeBlock(text.data(), from.data(), bytes);
  std::memcpy(to.data(), text.data(), characters);
}

bool is_base64(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

}  // namespace

WebSocketHandshake WebSocketHandshake::of(std::string_view key) {
  WebSocketHandshake handshake;
  std::memcpy(handshake.key.data(), key.data(), handshake.key.size());
  const std::string text = std::string(handshake.key_text()) + std::string(kGuid);
  std::array<unsigned char, 20> digest;
  EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha1(), nullptr);
  encode(digest, handshake.accept);
  return handshake;
}

WebSocketHandshake WebSocketHandshake::make() {
  std::array<unsigned char, 16> nonce;
  RAND_bytes(nonce.data(), nonce.size());
  std::array<char, 24> key;
  encode(nonce, key);
  return of({key.data(), key.size()});
}

bool is_web_socket_key(std::string_view key) {
  return key.size() == 24 && key.ends_with("==") && std::ranges::all_of(key.substr(0, 22), is_base64);
}

}  // namespace weir::http
