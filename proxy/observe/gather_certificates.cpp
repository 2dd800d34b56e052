#include "observe/gather.h"

namespace weir::observe {

void gather_certificates(const std::vector<CertificateSample>& certificates, Families& families) {
  for (const auto& sample : certificates) {
    families.gauge("tls_certificate_expiry_seconds", "When the certificate expires, in seconds since 1970",
                   {{"listener", sample.listener}, {"certificate", sample.certificate}},
                   static_cast<double>(sample.not_after.time_since_epoch().count()));
  }
}

}  // namespace weir::observe
