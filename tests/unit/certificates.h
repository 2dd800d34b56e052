#pragma once

#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

/// What a test wants to be certified.
struct Wanted {
  std::vector<std::string> names;  // "a.example", "*.example", an IP address
  std::string subject = "weir";    // the common name
  std::string key = "EC";          // or RSA
  std::chrono::hours from{-24};    // from now
  std::chrono::hours until{24 * 30};
};

/// Where a certificate and its key are.
struct Issued {
  std::string certificate;
  std::string key;
};

/// An authority with a folder of its own, in which it leaves what it issues.
class Authority {
 public:
  explicit Authority(std::string name = "Test CA") : name_(std::move(name)), key_(EVP_EC_gen("P-256")) {
    char folder[] = "/tmp/weir-tls-XXXXXX";
    REQUIRE(::mkdtemp(folder));
    folder_ = folder;
    certificate_ = sign(key_, {.subject = name_}, true);
    write(path("ca.pem"), certificate_);
  }
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;
  ~Authority() {
    X509_free(certificate_);
    EVP_PKEY_free(key_);
    std::filesystem::remove_all(folder_);
  }

  std::string ca() const { return path("ca.pem"); }
  std::string path(std::string_view name) const { return folder_ + "/" + std::string(name); }

  Issued issue(const Wanted& wanted) {
    EVP_PKEY* key = wanted.key == "RSA" ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    const std::string name = std::to_string(++count_);
    const Issued issued{path(name + ".pem"), path(name + ".key")};
    X509* certificate = sign(key, wanted, false);
    write(issued.certificate, certificate);
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(issued.key.c_str(), "w"), std::fclose);
    PEM_write_PrivateKey(file.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return issued;
  }
  /// A file of any bytes.
  std::string file(std::string_view name, std::string_view bytes) const {
    std::ofstream(path(name)) << bytes;
    return path(name);
  }

 private:
  X509* sign(EVP_PKEY* key, const Wanted& wanted, bool is_authority) {
    X509* certificate = X509_new();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial_);
    X509_gmtime_adj(X509_getm_notBefore(certificate), std::chrono::seconds(wanted.from).count());
    X509_gmtime_adj(X509_getm_notAfter(certificate), std::chrono::seconds(wanted.until).count());
    X509_set_pubkey(certificate, key);
    name(X509_get_subject_name(certificate), wanted.subject);
    name(X509_get_issuer_name(certificate), name_);
    std::string alternatives;
    for (const auto& text : wanted.names) {
      const bool is_address = text.find_first_not_of("0123456789.") == std::string::npos;
      alternatives += (alternatives.empty() ? "" : ",") + std::string(is_address ? "IP:" : "DNS:") + text;
    }
    if (!alternatives.empty()) extend(certificate, NID_subject_alt_name, alternatives);
    if (is_authority) extend(certificate, NID_basic_constraints, "critical,CA:TRUE");
    X509_sign(certificate, key_, EVP_sha256());
    return certificate;
  }
  static void name(X509_NAME* name, const std::string& text) {
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(text.c_str()), -1, -1,
                               0);
  }
  static void extend(X509* certificate, int kind, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
    REQUIRE(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  static void write(const std::string& path, X509* certificate) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "w"), std::fclose);
    PEM_write_X509(file.get(), certificate);
  }

  std::string folder_;
  std::string name_;
  EVP_PKEY* key_;
  X509* certificate_ = nullptr;
  int count_ = 0;
  long serial_ = 0;
};

}  // namespace weir
