#include "net/tls_certificate.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "net/tls_authorities.h"
#include "unit/certificates.h"

namespace weir::net {
namespace {

using namespace std::chrono_literals;

std::expected<TlsCertificate, TlsFlaw> load(const std::string& certificate, const std::string& key,
                                            const std::string& ocsp = "") {
  return TlsCertificate::load({certificate, key, ocsp},
                              std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
}

}  // namespace

TEST_CASE("tls certificate: its names come from the alternative names, in lower case") {
  Authority authority;
  const auto issued = authority.issue({.names = {"WWW.Example.com", "*.example.com", "10.0.0.1"}});
  const auto certificate = load(issued.certificate, issued.key);
  REQUIRE(certificate.has_value());
  CHECK(certificate->names() == std::vector<std::string>{"www.example.com", "*.example.com"});
  CHECK(certificate->key_type() == "EC");
  const auto left =
      certificate->not_after() - std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  CHECK(left > 24h * 29);
  CHECK(left < 24h * 31);
}

TEST_CASE("tls certificate: one without alternative names has its common name") {
  Authority authority;
  const auto issued = authority.issue({.subject = "old.example", .key = "RSA"});
  const auto certificate = load(issued.certificate, issued.key);
  REQUIRE(certificate.has_value());
  CHECK(certificate->names() == std::vector<std::string>{"old.example"});
  CHECK(certificate->key_type() == "RSA");
}

TEST_CASE("tls certificate: another certificate's key is a flaw of the key") {
  Authority authority;
  const auto one = authority.issue({.names = {"a.example"}});
  const auto other = authority.issue({.names = {"a.example"}});
  const auto wrong = load(one.certificate, other.key);
  REQUIRE_FALSE(wrong.has_value());
  CHECK(wrong.error().file == TlsFlaw::File::key);
  CHECK(wrong.error().text == "the key isn't the one of the certificate in '" + one.certificate + "'");
}

TEST_CASE("tls certificate: one out of its time is a flaw that tells the date") {
  Authority authority;
  const auto old = authority.issue({.names = {"a.example"}, .from = -48h, .until = -1h});
  const auto expired = load(old.certificate, old.key);
  REQUIRE_FALSE(expired.has_value());
  CHECK(expired.error().file == TlsFlaw::File::certificate);
  CHECK(expired.error().text.starts_with("the certificate expired on 20"));
  const auto young = authority.issue({.names = {"a.example"}, .from = 24h});
  CHECK(load(young.certificate, young.key).error().text.starts_with("the certificate isn't valid before 20"));
}

TEST_CASE("tls certificate: one that is valid beyond 2262 is valid") {
  Authority authority;
  const auto issued = authority.issue({.names = {"a.example"}, .until = 24h * 365 * 7900});
  const auto certificate = load(issued.certificate, issued.key);
  REQUIRE_MESSAGE(certificate.has_value(), (certificate ? "" : certificate.error().text));
  CHECK(certificate->not_after() > std::chrono::sys_days(std::chrono::year(9900) / 1 / 1));
}

namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("tls certificate: a certificate of a bundle that can't be read is told with its position") {
  Authority authority;
  const auto issued = authority.issue({.names = {"a.example"}});
  const auto leaf = text_of(issued.certificate);
  const auto ca = text_of(authority.ca());
  const auto lines = [](std::string_view text) { return std::ranges::count(text, '\n'); };
  const auto second = std::to_string(lines(leaf) + 1);
  const auto told = [&](std::string_view name, const std::string& bundle) {
    const auto path = authority.file(name, bundle);
    const auto certificate = load(path, issued.key);
    const auto authorities = TlsAuthorities::load(path);
    CHECK_FALSE(authorities.has_value());
    if (certificate || authorities) return std::string();
    CHECK(certificate.error().text == authorities.error());
    return certificate.error().text;
  };
  auto damaged = ca;
  damaged[damaged.size() / 2] = '!';
  CHECK(told("damaged", leaf + damaged + ca)
            .contains("certificate 2 of the file, on line " + second + ", can't be read: "));
  CHECK(
      told("cut", leaf + ca.substr(0, ca.size() / 2)).contains("certificate 2 of the file, on line " + second + ", "));
  CHECK(told("cut in between", leaf + ca.substr(0, ca.size() / 2) + "\n" + ca).contains("certificate 2 of the file"));
  CHECK(told("first line", leaf + ca.substr(1) + leaf.substr(5)).contains("certificate 2 of the file"));
  CHECK(told("no first line", leaf + ca.substr(ca.find('\n') + 1)).contains("certificate 2 of the file"));
  CHECK(told("no first line at all", leaf.substr(leaf.find('\n') + 1)).contains("certificate 1 of the file"));
  CHECK(load(authority.file("sound", "a comment\n" + leaf + "BEGIN the CERTIFICATE chain\n" + ca), issued.key)
            .has_value());
}

TEST_CASE("tls certificate: files that are missing or hold something else are flaws that say so") {
  Authority authority;
  const auto good = authority.issue({.names = {"a.example"}});
  const auto noise = authority.file("noise", "-----BEGIN NOISE-----\n!!!!\n");
  const auto flaw = [](const auto& loaded) { return loaded.error().text; };
  CHECK(flaw(load("/nowhere.pem", good.key)) == "'/nowhere.pem' can't be read: No such file or directory");
  CHECK(flaw(load(good.certificate, "/nowhere.key")) == "'/nowhere.key' can't be read: No such file or directory");
  CHECK(flaw(load("/tmp", good.key)) == "'/tmp' can't be read: Is a directory");
  CHECK(flaw(load(noise, good.key)) == "'" + noise + "' holds no certificate in PEM");
  CHECK(flaw(load(good.certificate, noise)) == "'" + noise + "' holds no private key in PEM");
  CHECK(flaw(load(good.certificate, good.key, noise)) == "'" + noise + "' holds no successful OCSP response in DER");
}

TEST_CASE("tls certificate: a key behind a passphrase is told apart from one that is none") {
  Authority authority;
  const auto good = authority.issue({.names = {"a.example"}});
  EVP_PKEY* key = EVP_EC_gen("P-256");
  const auto path = authority.path("locked.key");
  std::FILE* file = std::fopen(path.c_str(), "w");
  unsigned char secret[] = "secret";
  PEM_write_PrivateKey(file, key, EVP_aes_128_cbc(), secret, 6, nullptr, nullptr);
  std::fclose(file);
  EVP_PKEY_free(key);
  CHECK(load(good.certificate, path).error().text ==
        "the key in '" + path + "' has a passphrase; Weir takes keys without");
}

TEST_CASE("tls authorities: a file without a certificate is none") {
  Authority authority;
  CHECK(TlsAuthorities::load(authority.ca()).has_value());
  const auto empty = authority.file("empty", "");
  CHECK(TlsAuthorities::load(empty).error() == "'" + empty + "' holds no certificate in PEM");
  CHECK_FALSE(TlsAuthorities::load("/nowhere.pem").has_value());
}

}  // namespace weir::net
