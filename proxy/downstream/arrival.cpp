#include "downstream/arrival.h"

namespace weir::downstream {

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

}  // namespace weir::downstream
