#include "net/tls_client.h"

#include <cstring>

#include "net/address.h"
#include "net/tls_openssl.h"
#include "net/tls_session.h"

namespace weir::net {

using namespace tls;

namespace {

constexpr size_t kMostSessions = 4096;  // endpoints by DNS come and go

uint64_t identity_of(const TlsClient::Settings& settings) {
  const auto verify = static_cast<char>(settings.verify);
  const auto digest = digest_of({settings.authorities.digest(),
                                 {&verify, 1},
                                 settings.certificate ? settings.certificate->digest() : std::string(),
                                 settings.server_name,
                                 protocol_list(settings.protocols)});
  uint64_t identity = 0;
  std::memcpy(&identity, digest.data(), sizeof identity);
  return identity | 1;
}

/// RFC 6066 section 3: an address is no name to ask for; it is verified all the same.
void expect(SSL* ssl, const std::string& name) {
  if (Address::parse_ip(name, 0)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name.c_str());
    return;
  }
  SSL_set_tlsext_host_name(ssl, name.c_str());
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  SSL_set1_host(ssl, name.c_str());
}

/// 1: it is ours now.
int remember(SSL*, SSL_SESSION* session) noexcept {
  TlsSession::remember(session);
  return 1;
}

}  // namespace

void TlsClient::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }
void TlsClient::Free::operator()(ssl_session_st* session) const { SSL_SESSION_free(session); }

TlsClient::TlsClient(Settings settings)
    : settings_(std::move(settings)),
      identity_(identity_of(settings_)),
      context_(new_context(TLS_client_method()).release()) {
  SSL_CTX* const context = context_.get();
  settings_.authorities.install(context);
  SSL_CTX_set_verify(context, settings_.verify == Verify::on ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (settings_.certificate) settings_.certificate->install(context);
  const auto list = protocol_list(settings_.protocols);
  SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(list.data()),
                          static_cast<unsigned>(list.size()));
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, remember);
}

TlsClient::~TlsClient() = default;

ssl_st* TlsClient::new_session(const std::string& name, const std::string& key) const {
  SSL* const ssl = SSL_new(context_.get());
  SSL_set_connect_state(ssl);
  expect(ssl, name);
  const std::lock_guard lock(mutex_);
  if (const auto kept = sessions_.find(key); kept != sessions_.end()) SSL_set_session(ssl, kept->second.get());
  return ssl;
}

void TlsClient::keep(const std::string& key, ssl_session_st* session) const {
  const std::lock_guard lock(mutex_);
  if (sessions_.size() >= kMostSessions) sessions_.clear();
  sessions_[key].reset(session);
}

void TlsClient::forget(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  sessions_.erase(key);
}

}  // namespace weir::net
