#pragma once

#include <expected>

#include "downstream/tls_listener.h"
#include "exchange/exchange.h"
#include "net/proxy_protocol.h"
#include "net/tls_handshake.h"

namespace weir::downstream {

/// Shakes hands with a client that has just come, within the listener's time.
Task<std::expected<void, net::TlsFailure>> welcome(Loop& loop, net::Socket& socket,
                                                   std::shared_ptr<const TlsListener> tls);

/// Tells an exchange how its client came: the texts are copied to its arena.
void introduce(Exchange& exchange, const net::TlsFacts& facts);
/// And what the proxy in front says of it, as facts: proxy.authority, proxy.alpn, proxy.unique_id (in hexadecimal
/// unless it is text).
void introduce(Exchange& exchange, const net::ProxyHeader& header);

}  // namespace weir::downstream
