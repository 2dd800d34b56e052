#include "net/tls_certificate.h"

#include <algorithm>
#include <ctime>

#include "base/text.h"
#include "net/tls_openssl.h"

namespace weir::net {

using namespace tls;

struct TlsCertificate::Parts {
  Certificate leaf;
  Certificates chain{sk_X509_new_null()};
  Key key;
  std::vector<std::string> names;
  std::string key_type;
  std::string digest;
  std::string ocsp;
  std::string staple_refusal;
  WallTime not_after;
  WallTime ocsp_until = WallTime::max();
};

namespace {

using File = TlsFlaw::File;

std::unexpected<TlsFlaw> flaw(File file, std::string text) { return std::unexpected(TlsFlaw{file, std::move(text)}); }

WallTime time_of(const ASN1_TIME* time) {
  std::tm parts{};
  ASN1_TIME_to_tm(time, &parts);
  return WallTime(std::chrono::seconds(::timegm(&parts)));
}

std::string date_of(WallTime time) {
  const std::time_t seconds = time.time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts)};
}

std::string lower_case(const ASN1_STRING* text) {
  const auto* data = reinterpret_cast<const char*>(ASN1_STRING_get0_data(text));
  std::string out(data, static_cast<size_t>(ASN1_STRING_length(text)));
  for (char& c : out) c = to_lower(c);
  return out;
}

std::vector<std::string> common_name(const X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  return {lower_case(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)))};
}

/// Its DNS names; of an old certificate without any alternative name the common name (RFC 6125 section 6.4.4).
std::vector<std::string> names_of(const X509* certificate) {
  auto* found = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  const std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>> alternatives(found);
  if (!alternatives) return common_name(certificate);
  std::vector<std::string> names;
  for (int i = 0; i < sk_GENERAL_NAME_num(found); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(found, i);
    if (name->type == GEN_DNS) names.push_back(lower_case(name->d.dNSName));
  }
  return names;
}

/// Nobody is there to be asked for a passphrase.
int no_passphrase(char*, int, int, void* was_asked) {
  *static_cast<bool*>(was_asked) = true;
  return -1;
}

std::expected<Key, std::string> read_key(const std::string& pem, const std::string& path) {
  const Bio bio = reader_of(pem);
  bool was_asked = false;
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, &was_asked));
  ERR_clear_error();
  if (key) return key;
  if (was_asked) return std::unexpected("the key in '" + path + "' has a passphrase; Weir takes keys without");
  return std::unexpected("'" + path + "' holds no private key in PEM");
}

/// A response's word on one certificate.
struct OcspWord {
  bool is_good = false;
  WallTime until = WallTime::max();
};

/// Whether a response is about `leaf`: serial number and issuer, the issuer's key only where the chain has it.
bool is_about(const OCSP_SINGLERESP* single, const X509* leaf, STACK_OF(X509) * chain) {
  ASN1_OCTET_STRING* name_hash = nullptr;
  ASN1_OCTET_STRING* key_hash = nullptr;
  ASN1_INTEGER* serial = nullptr;
  ASN1_OBJECT* algorithm = nullptr;
  OCSP_id_get0_info(&name_hash, &algorithm, &key_hash, &serial,
                    const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single)));
  if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) != 0) return false;
  const EVP_MD* const digest = EVP_get_digestbyobj(algorithm);
  if (!digest) return false;
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  const auto is = [&](const ASN1_OCTET_STRING* hash) {
    return static_cast<unsigned>(ASN1_STRING_length(hash)) == size &&
           std::equal(bytes, bytes + size, ASN1_STRING_get0_data(hash));
  };
  if (X509_NAME_digest(X509_get_issuer_name(leaf), digest, bytes, &size) != 1 || !is(name_hash)) return false;
  X509* const issuer = sk_X509_num(chain) > 0 ? sk_X509_value(chain, 0) : nullptr;
  if (!issuer || X509_NAME_cmp(X509_get_subject_name(issuer), X509_get_issuer_name(leaf)) != 0) return true;
  return X509_pubkey_digest(issuer, digest, bytes, &size) == 1 && is(key_hash);
}

/// What a response says of `leaf`; else what is wrong with the file.
std::expected<OcspWord, std::string> read_ocsp(const std::string& der, const X509* leaf, STACK_OF(X509) * chain) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<OCSP_RESPONSE, Free<OCSP_RESPONSE_free>> response(
      d2i_OCSP_RESPONSE(nullptr, &bytes, static_cast<long>(der.size())));
  const bool is_successful = response && OCSP_response_status(response.get()) == OCSP_RESPONSE_STATUS_SUCCESSFUL;
  const std::unique_ptr<OCSP_BASICRESP, Free<OCSP_BASICRESP_free>> basic(
      is_successful ? OCSP_response_get1_basic(response.get()) : nullptr);
  if (!basic || OCSP_resp_count(basic.get()) == 0) return std::unexpected("holds no successful OCSP response in DER");
  for (int i = 0; i < OCSP_resp_count(basic.get()); ++i) {
    OCSP_SINGLERESP* const single = OCSP_resp_get0(basic.get(), i);
    if (!is_about(single, leaf, chain)) continue;
    ASN1_GENERALIZEDTIME* next = nullptr;
    const int status = OCSP_single_get0_status(single, nullptr, nullptr, nullptr, &next);
    return OcspWord{status == V_OCSP_CERTSTATUS_GOOD, next ? time_of(next) : WallTime::max()};
  }
  return std::unexpected("holds the OCSP response of another certificate");
}

std::expected<void, std::string> read_chain(const std::string& pem, const std::string& path, Certificate& leaf,
                                            STACK_OF(X509) * chain) {
  auto all = read_certificates(pem, path);
  if (!all) return std::unexpected(std::move(all.error()));
  leaf.reset(sk_X509_shift(all->get()));
  while (X509* const next = sk_X509_shift(all->get())) sk_X509_push(chain, next);
  return {};
}

}  // namespace

std::expected<TlsCertificate, TlsFlaw> TlsCertificate::load(const Files& files, WallTime now) {
  auto parts = std::make_shared<Parts>();
  const auto pem = read_file(files.certificate);
  if (!pem.problem.empty()) return flaw(File::certificate, pem.problem);
  if (auto read = read_chain(pem.bytes, files.certificate, parts->leaf, parts->chain.get()); !read) {
    return flaw(File::certificate, std::move(read.error()));
  }
  parts->not_after = time_of(X509_get0_notAfter(parts->leaf.get()));
  const auto not_before = time_of(X509_get0_notBefore(parts->leaf.get()));
  if (now > parts->not_after) return flaw(File::certificate, "the certificate expired on " + date_of(parts->not_after));
  if (now < not_before) return flaw(File::certificate, "the certificate isn't valid before " + date_of(not_before));

  const auto key_pem = read_file(files.key);
  if (!key_pem.problem.empty()) return flaw(File::key, key_pem.problem);
  auto key = read_key(key_pem.bytes, files.key);
  if (!key) return flaw(File::key, std::move(key.error()));
  parts->key = std::move(*key);
  if (X509_check_private_key(parts->leaf.get(), parts->key.get()) != 1) {
    ERR_clear_error();
    return flaw(File::key, "the key isn't the one of the certificate in '" + files.certificate + "'");
  }
  if (!files.ocsp.empty()) {
    auto response = read_file(files.ocsp);
    if (!response.problem.empty()) return flaw(File::ocsp, response.problem);
    const auto word = read_ocsp(response.bytes, parts->leaf.get(), parts->chain.get());
    ERR_clear_error();
    if (!word) return flaw(File::ocsp, "'" + files.ocsp + "' " + word.error());
    parts->ocsp_until = word->until;
    if (word->is_good) parts->ocsp = std::move(response.bytes);
    else parts->staple_refusal = "'" + files.ocsp + "' doesn't say that the certificate is good: it is not stapled";
  }
  parts->names = names_of(parts->leaf.get());
  const char* const type = EVP_PKEY_get0_type_name(parts->key.get());
  parts->key_type = type ? type : "";
  parts->digest = digest_of({pem.bytes, key_pem.bytes});

  TlsCertificate made(std::move(parts));
  const Context trial(SSL_CTX_new(TLS_method()));
  if (!made.install(trial.get())) return flaw(File::certificate, "the certificate can't be used: " + take_errors());
  return made;
}

bool TlsCertificate::install(ssl_ctx_st* context) const {
  return SSL_CTX_use_cert_and_key(context, parts_->leaf.get(), parts_->key.get(), parts_->chain.get(), 1) == 1;
}

const std::vector<std::string>& TlsCertificate::names() const { return parts_->names; }
WallTime TlsCertificate::not_after() const { return parts_->not_after; }
const std::string& TlsCertificate::key_type() const { return parts_->key_type; }
const std::string& TlsCertificate::digest() const { return parts_->digest; }
const std::string& TlsCertificate::staple_refusal() const { return parts_->staple_refusal; }
const x509_st* TlsCertificate::x509() const { return parts_->leaf.get(); }

std::string_view TlsCertificate::staple(WallTime now) const {
  return now < parts_->ocsp_until ? std::string_view(parts_->ocsp) : std::string_view();
}

}  // namespace weir::net
