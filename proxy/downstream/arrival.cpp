#include "downstream/arrival.h"

#include <algorithm>

#include "http/syntax.h"

namespace weir::downstream {

namespace {

std::string_view readable(Arena& arena, std::string_view bytes) {
  if (std::ranges::all_of(bytes, http::is_field_byte)) return arena.copy(bytes);
  constexpr std::string_view kDigits = "0123456789abcdef";
  auto* const text = static_cast<char*>(arena.bump(2 * bytes.size(), 1));
  char* to = text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    *to++ = kDigits[byte >> 4];
    *to++ = kDigits[byte & 15];
  }
  return {text, 2 * bytes.size()};
}

}  // namespace

Task<std::expected<void, net::TlsFailure>> welcome(Loop& loop, net::Socket& socket,
                                                   std::shared_ptr<const TlsListener> tls) {
  socket.secure(std::make_unique<net::TlsSession>(tls->server, socket.fd()));
  return net::shake_hands(loop, socket, loop.now() + tls->handshake_timeout);
}

void introduce(Exchange& exchange, const net::TlsFacts& facts) {
  auto& arena = exchange.arena();
  auto* const tls = new (arena.bump(sizeof(ClientTls), alignof(ClientTls))) ClientTls;
  tls->version = facts.version;
  tls->cipher = facts.cipher;
  tls->server_name = arena.copy(facts.server_name);
  tls->asks_for_certificate = facts.asks_for_certificate;
  if (const auto* certificate = facts.certificate) {
    tls->subject = arena.copy(certificate->subject);
    tls->names = arena.copy(certificate->names);
    tls->fingerprint = arena.copy(certificate->fingerprint);
    tls->certificate = arena.copy(certificate->base64);
  }
  exchange.client.tls = tls;
  exchange.client.is_encrypted = true;
}

void introduce(Exchange& exchange, const net::ProxyHeader& header) {
  const auto tell = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) exchange.facts.set(name, readable(exchange.arena(), value));
  };
  tell("proxy.authority", header.authority);
  tell("proxy.alpn", header.alpn);
  tell("proxy.unique_id", header.unique_id);
}

}  // namespace weir::downstream
