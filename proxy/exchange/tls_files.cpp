#include "exchange/tls_files.h"

#include <filesystem>

namespace weir {

std::string TlsFiles::path_of(const std::string& named) const {
  return named.empty() ? named : (std::filesystem::path(folder) / named).string();
}

std::optional<net::TlsCertificate> TlsFiles::certificate(const CertificateSettings& settings) const {
  if (settings.cert->empty() || settings.key->empty()) return std::nullopt;  // told when it was read
  auto loaded =
      net::TlsCertificate::load({path_of(*settings.cert), path_of(*settings.key), path_of(*settings.ocsp)}, now);
  if (loaded) {
    if (!loaded->staple_refusal().empty()) {
      problems.warn(settings.ocsp.at, loaded->staple_refusal(), "get a new certificate when it was revoked");
    }
    return std::move(*loaded);
  }
  using File = net::TlsFlaw::File;
  const auto& flaw = loaded.error();
  const auto& at = flaw.file == File::key ? settings.key : flaw.file == File::ocsp ? settings.ocsp : settings.cert;
  problems.add(at.at, flaw.text);
  return std::nullopt;
}

std::optional<net::TlsAuthorities> TlsFiles::authorities(const config::Located<std::string>& path) const {
  if (path->empty()) return std::nullopt;
  auto loaded = net::TlsAuthorities::load(path_of(*path));
  if (loaded) return std::move(*loaded);
  problems.add(path.at, loaded.error());
  return std::nullopt;
}

}  // namespace weir
