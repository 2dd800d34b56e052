#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// What the tls_* files share of OpenSSL. Nobody else includes this.
//
// OpenSSL keeps errors in a queue of the thread's own, and mistakes an old one for the outcome of the next call:
// whoever makes a call that may fail leaves the queue empty.

namespace weir::net::tls {

template <auto release>
struct Free {
  template <class T>
  void operator()(T* object) const {
    release(object);
  }
};

inline void free_certificates(STACK_OF(X509) * stack) { sk_X509_pop_free(stack, X509_free); }
inline void free_names(STACK_OF(X509_NAME) * stack) { sk_X509_NAME_pop_free(stack, X509_NAME_free); }

using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Certificates = std::unique_ptr<STACK_OF(X509), Free<free_certificates>>;
using Context = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Names = std::unique_ptr<STACK_OF(X509_NAME), Free<free_names>>;
using Session = std::unique_ptr<SSL_SESSION, Free<SSL_SESSION_free>>;
using Verification = std::unique_ptr<X509_STORE_CTX, Free<X509_STORE_CTX_free>>;
using Store = std::unique_ptr<X509_STORE, Free<X509_STORE_free>>;

/// Empties the error queue: the last error's reason, for engineers; "" when there was none.
std::string take_errors();

/// A file's bytes; else why it can't be read.
struct Text {
  std::string bytes;
  std::string problem;
};
Text read_file(const std::string& path);
/// A Bio over `bytes`, which must outlive it.
Bio reader_of(std::string_view bytes);

/// All certificates of a file in PEM, one at least. What else the file has is skipped. Else what is wrong with it: a
/// certificate that can't be read is told with its position, since the rest of the chain would be missing.
std::expected<Certificates, std::string> read_certificates(const std::string& pem, const std::string& path);

/// RFC 6066 section 3: a name is sent without the dot at its end; some clients send it all the same.
constexpr std::string_view without_last_dot(std::string_view name) {
  return name.ends_with('.') ? name.substr(0, name.size() - 1) : name;
}

/// SHA-256 of the pieces, each with its length: raw, 32 bytes.
std::string digest_of(std::initializer_list<std::string_view> pieces);
std::string hex_of(std::string_view bytes);

/// What both roles set: versions, ciphers and groups by Mozilla's "intermediate" (version 5.7, without DHE), reading
/// ahead, buffers only while they hold something, no compression, no renegotiation.
Context new_context(const SSL_METHOD* method);
/// ALPN's list as it stands on the wire (RFC 7301 section 3.1).
std::string protocol_list(const std::vector<std::string>& protocols);

}  // namespace weir::net::tls
