#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "exchange/tls_files.h"
#include "net/tls_server.h"

namespace weir::downstream {

/// The application protocols that are spoken over TLS, in order of preference.
inline constexpr std::array<std::string_view, 2> kProtocols{"h2", "http/1.1"};

/// Whose clients must show a certificate.
struct ClientAuthSettings {
  net::TlsServer::ClientAuth mode = net::TlsServer::ClientAuth::off;
  config::Located<std::string> ca;
};

/// A listener's block `tls`.
struct TlsSettings {
  std::vector<CertificateSettings> certificates;
  net::TlsServer::Version min_version = net::TlsServer::Version::tls12;
  ClientAuthSettings client_auth;
  bool early_data = false;
  Duration handshake_timeout = std::chrono::seconds(10);
  std::vector<std::string> alpn{kProtocols.begin(), kProtocols.end()};
};

void decode(config::Reader& r, ClientAuthSettings& out);
void decode(config::Reader& r, TlsSettings& out);

/// How a listener speaks TLS: part of a snapshot, immutable, shared by all workers.
struct TlsListener {
  struct Expiry {
    std::string certificate;  // as the configuration names it
    net::WallTime at;
  };
  std::shared_ptr<const net::TlsServer> server;
  Duration handshake_timeout;
  std::vector<Expiry> expiries;
};

/// Reads the files. Null when one is wrong.
std::shared_ptr<const TlsListener> make_tls(const TlsSettings& settings, const TlsFiles& files,
                                            std::shared_ptr<net::TicketKeys> tickets);

}  // namespace weir::downstream
