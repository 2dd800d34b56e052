#include "net/tls_server.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>

#include <algorithm>

#include "base/text.h"
#include "net/tls_openssl.h"
#include "net/tls_session.h"

namespace weir::net {

using namespace tls;

/// One set of certificates, and the context that has them. OpenSSL picks among kinds of keys by what the client takes.
struct TlsServer::Site {
  TlsServer* server;
  TlsServer::Certificates certificates;
  Context context;
};

namespace {

constexpr long kSessionSeconds = 12 * 3600;  // no longer than a ticket's key opens
constexpr uint32_t kMostEarlyData = 16 * 1024;
constexpr long kMostSessions = 20'000;  // remembered for early data; the oldest make room

/// "*.example.com" for "www.example.com": a wildcard stands for one label (RFC 6125 section 6.4.3).
std::string wildcard_of(std::string_view host) {
  const auto dot = host.find('.');
  return dot == std::string_view::npos ? std::string() : "*" + std::string(host.substr(dot));
}

const EVP_CIPHER* ticket_cipher() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr);  // for good
  return cipher;
}

/// OpenSSL's guard against replays: what a ticket names is forgotten as soon as it is asked for.
void remember_sessions(SSL_CTX* context) {
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER);
  SSL_CTX_sess_set_cache_size(context, kMostSessions);
  SSL_CTX_set_max_early_data(context, kMostEarlyData);
}

/// Until the certificate expires; 0 or less: it has.
long seconds_left(const X509* certificate) {
  int days = 0;
  int seconds = 0;
  if (ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate)) != 1) return 0;
  return 86'400L * days + seconds;
}

bool authenticate(EVP_MAC_CTX* mac, TicketKeys::Key& key) {
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.authentication.data(), key.authentication.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

}  // namespace

/// What OpenSSL asks in the course of a handshake. A failed look at a date leaves the error queue as it was.
struct TlsServerCallbacks {
  static const TlsServer& server_of(SSL* ssl) {
    return *static_cast<const TlsServer*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  }

  static int choose_site(SSL* ssl, int*, void*) noexcept {
    const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (!name) return SSL_TLSEXT_ERR_NOACK;
    SSL_set_SSL_CTX(ssl, server_of(ssl).find(without_last_dot(name)).context.get());
    return SSL_TLSEXT_ERR_OK;
  }

  static int choose_protocol(SSL* ssl, const unsigned char** out, unsigned char* size, const unsigned char* theirs,
                             unsigned their_size, void*) noexcept {
    const auto& ours = server_of(ssl).protocol_list_;
    unsigned char* chosen = nullptr;
    const int found = SSL_select_next_proto(&chosen, size, reinterpret_cast<const unsigned char*>(ours.data()),
                                            static_cast<unsigned>(ours.size()), theirs, their_size);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
  }

  /// Of the certificate that was chosen.
  static int staple(SSL* ssl, void* of) noexcept {
    const auto& site = *static_cast<const TlsServer::Site*>(of);
    const X509* const chosen = SSL_get_certificate(ssl);
    for (const auto* certificate : site.certificates) {
      if (certificate->x509() != chosen) continue;
      const auto response =
          certificate->staple(std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
      if (response.empty()) break;
      auto* const copy = OPENSSL_memdup(response.data(), response.size());
      SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(response.size()));
      return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
  }

  /// SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 0 = a stranger's ticket, 2 = sealed with an old key, to be made anew.
  static int ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                        int seals) noexcept {
    TicketKeys& keys = *server_of(ssl).tickets_;
    if (seals) {
      auto key = keys.current();
      std::ranges::copy(key.name, name);
      const bool is_ready = RAND_bytes(iv, EVP_CIPHER_get_iv_length(ticket_cipher())) == 1 &&
                            EVP_EncryptInit_ex2(cipher, ticket_cipher(), key.cipher.data(), iv, nullptr) == 1 &&
                            authenticate(mac, key);
      return is_ready ? 1 : -1;
    }
    auto found = keys.find(name);
    if (!found) return 0;
    const bool is_ready = EVP_DecryptInit_ex2(cipher, ticket_cipher(), found->key.cipher.data(), iv, nullptr) == 1 &&
                          authenticate(mac, found->key);
    if (!is_ready) return -1;
    // A ticket of TLS 1.3 serves once (RFC 8446 appendix C.4): each resumption brings the next.
    return found->is_current && SSL_version(ssl) != TLS1_3_VERSION ? 1 : 2;
  }

  /// A session lives no longer than the client's certificate: a resumption doesn't look at certificates. OpenSSL counts
  /// a session's last second in full. 0, the end of the handshake: the certificate expired before a session that the
  /// server remembers did, which no ticket callback judges.
  static int limit_session(SSL* ssl, void*) noexcept {
    SSL_SESSION* const session = SSL_get_session(ssl);
    const X509* const certificate = SSL_SESSION_get0_peer(session);
    if (!certificate) return 1;
    const long left = seconds_left(certificate);
    SSL_SESSION_set_timeout(session, std::clamp(left - 1, 0L, kSessionSeconds));
    return left > 0 ? 1 : 0;
  }

  /// The same for a ticket that comes back, whatever it says of its own lifetime.
  static SSL_TICKET_RETURN judge_ticket(SSL*, SSL_SESSION* session, const unsigned char*, size_t,
                                        SSL_TICKET_STATUS status, void*) noexcept {
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) return SSL_TICKET_RETURN_IGNORE_RENEW;
    const X509* const certificate = SSL_SESSION_get0_peer(session);
    if (certificate && seconds_left(certificate) <= 0) return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
  }
};

TlsServer::TlsServer(Settings settings, std::shared_ptr<TicketKeys> tickets)
    : settings_(std::move(settings)), tickets_(std::move(tickets)), protocol_list_(protocol_list(settings_.protocols)) {
  // A session is only resumed where the client would be asked for the same certificate.
  const auto auth = static_cast<char>(settings_.client_auth);
  const auto& authorities = settings_.client_authorities;
  session_id_context_ = digest_of({{&auth, 1}, authorities ? authorities->digest() : std::string()});

  for (const auto& certificate : settings_.certificates) {
    for (const auto& name : certificate.names()) certificates_[name].push_back(&certificate);
  }
  const auto& first = settings_.certificates.front();
  auto standard = first.names().empty() ? Certificates{} : certificates_for(first.names().front());
  if (std::ranges::find(standard, &first) == standard.end()) standard = {&first};
  site_of(standard);
  for (const auto& certificate : settings_.certificates) {
    for (const auto& name : certificate.names()) {
      if (!by_name_.contains(name)) by_name_.emplace(name, &site_of(certificates_for(name)));
    }
  }
}

TlsServer::~TlsServer() = default;

TlsServer::Certificates TlsServer::certificates_for(std::string_view name) const {
  Certificates found;
  const auto collect = [&](std::string_view wanted) {
    const auto known = certificates_.find(wanted);
    if (known == certificates_.end()) return;
    for (const auto* certificate : known->second) {
      const bool is_new =
          std::ranges::none_of(found, [&](const auto* other) { return other->key_type() == certificate->key_type(); });
      if (is_new) found.push_back(certificate);
    }
  };
  collect(name);
  if (!name.starts_with('*')) collect(wildcard_of(name));
  return found;
}

TlsServer::Site& TlsServer::site_of(const Certificates& certificates) {
  Site*& known = sites_by_certificates_[certificates];
  if (known) return *known;
  sites_.push_back(std::make_unique<Site>(this, certificates, new_context(TLS_server_method())));
  known = sites_.back().get();
  prepare(*known);
  return *known;
}

void TlsServer::prepare(Site& site) {
  SSL_CTX* const context = site.context.get();
  SSL_CTX_set_app_data(context, this);
  for (const auto* certificate : site.certificates) certificate->install(context);
  if (settings_.min_version == Version::tls13) SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  if (settings_.client_auth != ClientAuth::off) {
    settings_.client_authorities->install(context);
    settings_.client_authorities->announce(context);
    SSL_CTX_set_verify(
        context,
        SSL_VERIFY_PEER | (settings_.client_auth == ClientAuth::required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
        nullptr);
  }
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // tickets hold all of it
  if (takes_early_data()) remember_sessions(context);
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>(session_id_context_.data()),
                                 static_cast<unsigned>(session_id_context_.size()));
  SSL_CTX_set_num_tickets(context, 1);
  SSL_CTX_set_timeout(context, kSessionSeconds);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, TlsServerCallbacks::ticket_key);
  if (settings_.client_auth != ClientAuth::off) {
    SSL_CTX_set_session_ticket_cb(context, TlsServerCallbacks::limit_session, TlsServerCallbacks::judge_ticket,
                                  nullptr);
  }
  SSL_CTX_set_tlsext_servername_callback(context, TlsServerCallbacks::choose_site);
  SSL_CTX_set_tlsext_status_cb(context, TlsServerCallbacks::staple);
  SSL_CTX_set_tlsext_status_arg(context, &site);
  if (!protocol_list_.empty()) SSL_CTX_set_alpn_select_cb(context, TlsServerCallbacks::choose_protocol, nullptr);
}

bool TlsServer::admits_all_of(const TlsServer* other) const {
  if (!asks_for_certificates()) return true;
  if (!other) return settings_.client_auth == ClientAuth::optional;
  return session_id_context_ == other->session_id_context_;
}

bool TlsServer::admits(const TlsSession* session) const {
  if (!asks_for_certificates()) return true;
  const bool has_certificate = session && SSL_get0_peer_certificate(session->openssl());
  if (!has_certificate) return settings_.client_auth == ClientAuth::optional;
  return settings_.client_authorities->vouch_for_client(session->openssl());
}

const TlsServer::Site& TlsServer::find(std::string_view host) const {
  std::string name(host);
  for (char& c : name) c = to_lower(c);
  if (const auto exact = by_name_.find(name); exact != by_name_.end()) return *exact->second;
  if (const auto wild = by_name_.find(wildcard_of(name)); wild != by_name_.end()) return *wild->second;
  return *sites_.front();
}

ssl_st* TlsServer::new_session() const {
  SSL* const ssl = SSL_new(sites_.front()->context.get());
  SSL_set_accept_state(ssl);
  return ssl;
}

}  // namespace weir::net
