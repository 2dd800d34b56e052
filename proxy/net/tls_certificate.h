#pragma once

#include <chrono>
#include <expected>
#include <memory>
#include <string>
#include <vector>

struct ssl_ctx_st;
struct x509_st;

namespace weir::net {

/// Seconds, as certificates have them: nanoseconds in 64 bits end in 2262, and RFC 5280's "no end" is the year 9999.
using WallTime = std::chrono::sys_seconds;

/// What is wrong with the files of a certificate, and with which of them.
struct TlsFlaw {
  enum class File : uint8_t { certificate, key, ocsp } file;
  std::string text;
};

/// A certificate with its chain, its private key and perhaps an OCSP response to staple. Immutable; copies share.
class TlsCertificate {
 public:
  struct Files {
    std::string certificate;  // PEM: the certificate, then its intermediates
    std::string key;          // PEM, without a passphrase
    std::string ocsp;         // DER; "" = none
  };
  /// Reads and checks all of it: readable, well-formed, a pair, valid at `now`.
  static std::expected<TlsCertificate, TlsFlaw> load(const Files& files, WallTime now);

  /// The DNS names that it is valid for, in lower case: "example.com", "*.example.com".
  const std::vector<std::string>& names() const;
  WallTime not_after() const;
  /// "RSA", "EC", "ED25519": a server may have one of each for a name.
  const std::string& key_type() const;
  /// Of all its bytes, key included.
  const std::string& digest() const;

  // For the contexts.
  bool install(ssl_ctx_st* context) const;
  const x509_st* x509() const;
  /// The OCSP response to staple at `now`, DER; "" when there is none, it has expired or doesn't say "good".
  std::string_view staple(WallTime now) const;
  /// Why the OCSP response is never stapled though it is this certificate's; "" = it is.
  const std::string& staple_refusal() const;

 private:
  struct Parts;
  explicit TlsCertificate(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

  std::shared_ptr<const Parts> parts_;  // shared with the contexts of each name
};

}  // namespace weir::net
