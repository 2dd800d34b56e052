#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "net/tls_authorities.h"
#include "net/tls_certificate.h"
#include "net/tls_tickets.h"

struct ssl_st;

namespace weir::net {

class TlsSession;

/// How a listener speaks TLS: which certificate for which name, whose clients are let in. Made once a snapshot,
/// immutable, shared by all workers.
class TlsServer {
 public:
  enum class Version : uint8_t { tls12, tls13 };
  enum class ClientAuth : uint8_t { off, optional, required };
  /// What a client that comes back may send before the handshake is done (RFC 8446 section 2.3). Whoever recorded it
  /// can send it again: `taken`, a ticket serves once, since it names a session that this object forgets with its use.
  /// Such tickets are good for no other TlsServer.
  enum class EarlyData : uint8_t { skipped, taken };
  struct Settings {
    std::vector<TlsCertificate> certificates;  // at least one; the first is for whoever names no host, or a strange one
    Version min_version = Version::tls12;
    ClientAuth client_auth = ClientAuth::off;
    std::optional<TlsAuthorities> client_authorities;  // unless `off`
    std::vector<std::string> protocols;                // ALPN, in order of preference; empty: not spoken
    EarlyData early_data = EarlyData::skipped;
  };

  TlsServer(Settings settings, std::shared_ptr<TicketKeys> tickets);
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;
  ~TlsServer();

  /// For a connection that was accepted. The caller keeps the TlsServer as long as the session.
  ssl_st* new_session() const;

  bool takes_early_data() const { return settings_.early_data == EarlyData::taken; }
  /// Of all clients, be it that they may have none.
  bool asks_for_certificates() const { return settings_.client_auth != ClientAuth::off; }
  /// Would a client of `other` (null: one without TLS) have passed here, too, whoever it is?
  bool admits_all_of(const TlsServer* other) const;
  /// Would this client, whose handshake is done, have passed here? Null: it came without TLS.
  bool admits(const TlsSession* session) const;

 private:
  friend struct TlsServerCallbacks;
  struct Site;

  using Certificates = std::vector<const TlsCertificate*>;
  /// Those for `name`, one of each kind of key: its own, else one by wildcard.
  Certificates certificates_for(std::string_view name) const;
  Site& site_of(const Certificates& certificates);
  void prepare(Site& site);
  /// The site for a host that a client asks for: exact, by wildcard for one label, or the default.
  const Site& find(std::string_view host) const;

  Settings settings_;
  std::shared_ptr<TicketKeys> tickets_;
  std::string protocol_list_;
  std::string session_id_context_;
  std::unordered_map<std::string_view, Certificates> certificates_;  // by each of their names, in order
  std::map<Certificates, Site*> sites_by_certificates_;
  std::vector<std::unique_ptr<Site>> sites_;              // the first is the default
  std::unordered_map<std::string, const Site*> by_name_;  // "example.com", "*.example.com"
};

}  // namespace weir::net
