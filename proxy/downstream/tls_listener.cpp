#include "downstream/tls_listener.h"

#include <algorithm>
#include <unordered_set>

#include "config/suggest.h"

namespace weir {

/// `{ cert: site.pem, key: site.key }`, of a listener.
static void decode(config::Reader& r, CertificateSettings& out) {
  r.required("cert", out.cert, "PEM: the certificate, then its intermediates", config::non_empty);
  r.required("key", out.key, "PEM: its private key, without a passphrase", config::non_empty);
  r.optional("ocsp", out.ocsp, "DER: an OCSP response to staple, until it expires");
}

}  // namespace weir

namespace weir::net {

static auto choices(TlsServer::Version*) {
  using Version = TlsServer::Version;
  return std::array{config::Choice<Version>{"1.2", Version::tls12}, config::Choice<Version>{"1.3", Version::tls13}};
}

static auto choices(TlsServer::ClientAuth*) {
  using ClientAuth = TlsServer::ClientAuth;
  return std::array{config::Choice<ClientAuth>{"off", ClientAuth::off},
                    config::Choice<ClientAuth>{"optional", ClientAuth::optional},
                    config::Choice<ClientAuth>{"required", ClientAuth::required}};
}

}  // namespace weir::net

namespace weir::downstream {

namespace {

using ClientAuth = net::TlsServer::ClientAuth;

void check_protocols(config::Reader& r, const std::vector<std::string>& protocols) {
  for (const auto& protocol : protocols) {
    if (std::ranges::find(kProtocols, protocol) != kProtocols.end()) continue;
    const std::vector<std::string> known(kProtocols.begin(), kProtocols.end());
    r.problem_at("alpn", "'" + protocol + "' isn't spoken here", "write one of: " + config::join(known));
  }
}

}  // namespace

void decode(config::Reader& r, ClientAuthSettings& out) {
  r.optional("mode", out.mode, "off, optional (one that is shown must be valid), required");
  r.optional("ca", out.ca, "PEM: the authorities whose clients are let in");
  if (r.is_describing()) return;
  if (out.mode != ClientAuth::off && out.ca->empty()) {
    r.problem("client certificates need the authorities that sign them", "write ca: clients.pem");
  }
}

void decode(config::Reader& r, TlsSettings& out) {
  r.required("certificates", out.certificates,
             "chosen by the name that the client asks for: exact, *.wildcard, else the first; RSA and EC of one name "
             "side by side",
             config::non_empty);
  r.optional("min_version", out.min_version, "of TLS");
  r.optional("client_auth", out.client_auth, "whether clients show certificates");
  r.optional(
      "early_data", out.early_data,
      "takes requests before the handshake is done (TLS 1.3), for routes with early_data; tickets then serve once, "
      "in this process, until a reload");
  r.optional("handshake_timeout", out.handshake_timeout, "then the connection is closed",
             config::at_least(Duration(std::chrono::milliseconds(1))));
  r.optional("alpn", out.alpn, "application protocols, in order of preference", config::non_empty);
  if (!r.is_describing()) check_protocols(r, out.alpn);
}

std::shared_ptr<const TlsListener> make_tls(const TlsSettings& settings, const TlsFiles& files,
                                            std::shared_ptr<net::TicketKeys> tickets) {
  auto listener = std::make_shared<TlsListener>();
  listener->handshake_timeout = settings.handshake_timeout;
  net::TlsServer::Settings server{.min_version = settings.min_version, .client_auth = settings.client_auth.mode};
  std::unordered_set<std::string> files_seen;
  for (const auto& named : settings.certificates) {
    auto certificate = files.certificate(named);
    if (!certificate) continue;
    if (files_seen.insert(*named.cert).second) listener->expiries.push_back({*named.cert, certificate->not_after()});
    server.certificates.push_back(std::move(*certificate));
  }
  if (settings.client_auth.mode != ClientAuth::off)
    server.client_authorities = files.authorities(settings.client_auth.ca);
  if (!files.problems.empty()) return nullptr;
  server.protocols = settings.alpn;
  if (settings.early_data) server.early_data = net::TlsServer::EarlyData::taken;
  listener->server = std::make_shared<net::TlsServer>(std::move(server), std::move(tickets));
  return listener;
}

}  // namespace weir::downstream
