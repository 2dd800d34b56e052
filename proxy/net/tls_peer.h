#pragma once

#include <memory>

#include "net/tls_session.h"

namespace weir::net {

/// Why this session's handshake failed, by the thread's error queue and what the certificate's check said.
TlsFailure failure_of(const ssl_st* ssl);

/// The certificate that the peer has shown; null when it has none.
std::unique_ptr<const TlsPeerCertificate> peer_certificate_of(const ssl_st* ssl);

}  // namespace weir::net
