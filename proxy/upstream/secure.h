#pragma once

#include <memory>

#include "exchange/exchange.h"
#include "exchange/tls_files.h"
#include "net/tls_handshake.h"
#include "upstream/upstream.h"

namespace weir::upstream {

/// Reads the files of an upstream's block `tls`. Null when one is wrong.
std::shared_ptr<const net::TlsClient> make_tls(const TlsSettings& settings, Protocol protocol, const TlsFiles& files);

/// Which version a connection is made for: the one of the upstream's setting, or of the TLS handshake; or HTTP/1.1,
/// since the endpoint can't serve the request over HTTP/2.
enum class Speak : uint8_t { agreed, http1 };

/// Shakes hands with an endpoint that was just connected to. An Error tells why not, in the exchange's arena.
Task<Result<>> secure(Exchange& exchange, net::Socket& socket, std::shared_ptr<const net::TlsClient> tls,
                      const Endpoint& endpoint, Time deadline, Speak speak = Speak::agreed);

/// What a pooled connection must have in common with the upstream that uses it again.
uint64_t identity_of(const Upstream& upstream);
/// What is spoken on a connection that is made, and secured if it has to be.
http::Version version_of(const Upstream& upstream, const net::Socket& socket);

}  // namespace weir::upstream
