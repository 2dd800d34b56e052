#pragma once

#include <optional>
#include <string>

#include "config/reader.h"
#include "net/tls_authorities.h"
#include "net/tls_certificate.h"

namespace weir {

/// A certificate as the configuration names it, for a listener or an upstream.
struct CertificateSettings {
  config::Located<std::string> cert;
  config::Located<std::string> key;
  config::Located<std::string> ocsp;  // "" = none
};

/// Where files named in a configuration are looked for, and when; what is wrong with one is a Problem where it is
/// named.
struct TlsFiles {
  std::string folder;  // of the configuration file
  net::WallTime now;
  config::Problems& problems;

  std::optional<net::TlsCertificate> certificate(const CertificateSettings& settings) const;
  std::optional<net::TlsAuthorities> authorities(const config::Located<std::string>& path) const;

 private:
  std::string path_of(const std::string& named) const;
};

}  // namespace weir
