#include "net/tls_authorities.h"

#include "net/tls_openssl.h"

namespace weir::net {

using namespace tls;

struct TlsAuthorities::Parts {
  Store store{X509_STORE_new()};
  Names names{sk_X509_NAME_new_null()};
  std::string digest;
};

TlsAuthorities TlsAuthorities::of_the_system() {
  auto parts = std::make_shared<Parts>();
  X509_STORE_set_default_paths(parts->store.get());
  ERR_clear_error();  // a machine without any is one that believes nobody
  return TlsAuthorities(std::move(parts));
}

std::expected<TlsAuthorities, std::string> TlsAuthorities::load(const std::string& path) {
  const auto pem = read_file(path);
  if (!pem.problem.empty()) return std::unexpected(pem.problem);
  auto parts = std::make_shared<Parts>();
  const auto certificates = read_certificates(pem.bytes, path);
  if (!certificates) return std::unexpected(certificates.error());
  for (int i = 0; i < sk_X509_num(certificates->get()); ++i) {
    X509* const next = sk_X509_value(certificates->get(), i);
    X509_STORE_add_cert(parts->store.get(), next);
    sk_X509_NAME_push(parts->names.get(), X509_NAME_dup(X509_get_subject_name(next)));
  }
  ERR_clear_error();
  parts->digest = digest_of({pem.bytes});
  return TlsAuthorities(std::move(parts));
}

const std::string& TlsAuthorities::digest() const { return parts_->digest; }

/// The chain of a resumed session is not known any more: without its intermediates a certificate may not be believed.
bool TlsAuthorities::vouch_for_client(const ssl_st* ssl) const {
  X509* const certificate = SSL_get0_peer_certificate(ssl);
  const Verification verification(X509_STORE_CTX_new());
  const bool is_ready =
      certificate && verification &&
      X509_STORE_CTX_init(verification.get(), parts_->store.get(), certificate, SSL_get_peer_cert_chain(ssl)) == 1 &&
      X509_STORE_CTX_set_default(verification.get(), "ssl_client") == 1;
  const bool is_valid = is_ready && X509_verify_cert(verification.get()) == 1;
  ERR_clear_error();
  return is_valid;
}

void TlsAuthorities::install(ssl_ctx_st* context) const { SSL_CTX_set1_cert_store(context, parts_->store.get()); }

void TlsAuthorities::announce(ssl_ctx_st* context) const {
  Names copy(sk_X509_NAME_new_null());
  for (int i = 0; i < sk_X509_NAME_num(parts_->names.get()); ++i) {
    sk_X509_NAME_push(copy.get(), X509_NAME_dup(sk_X509_NAME_value(parts_->names.get(), i)));
  }
  SSL_CTX_set_client_CA_list(context, copy.release());
}

}  // namespace weir::net
