#include "net/tls_peer.h"

#include "net/tls_openssl.h"

namespace weir::net {

using namespace tls;

namespace {

TlsFault fault_of(unsigned long error) {
  if (ERR_GET_LIB(error) != ERR_LIB_SSL) return TlsFault::other;
  const int reason = ERR_GET_REASON(error);
  if (reason >= SSL_AD_REASON_OFFSET) return TlsFault::alert;
  switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_RECORD_LENGTH_MISMATCH:
    case SSL_R_LENGTH_TOO_SHORT:
    case SSL_R_LENGTH_MISMATCH: return TlsFault::not_tls;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNSUPPORTED_SSL_VERSION:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_WRONG_SSL_VERSION: return TlsFault::version;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS: return TlsFault::cipher;
    case SSL_R_NO_APPLICATION_PROTOCOL: return TlsFault::protocol;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return TlsFault::no_certificate;
    case SSL_R_CERTIFICATE_VERIFY_FAILED: return TlsFault::bad_certificate;
    case SSL_R_UNEXPECTED_EOF_WHILE_READING: return TlsFault::closed;
    default: return TlsFault::other;
  }
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

std::string subject_of(const X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  return text_of(bio.get());
}

std::string names_of(const X509* certificate) {
  auto* found = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  const std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>> alternatives(found);
  std::string names;
  for (int i = 0; alternatives && i < sk_GENERAL_NAME_num(found); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(found, i);
    if (name->type != GEN_DNS && name->type != GEN_EMAIL && name->type != GEN_URI) continue;
    const auto* text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.ia5));
    if (!names.empty()) names += ", ";
    names.append(text, static_cast<size_t>(ASN1_STRING_length(name->d.ia5)));
  }
  for (char& c : names) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  }
  return names;
}

std::string base64_of(std::string_view bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  out.resize(static_cast<size_t>(EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                                 reinterpret_cast<const unsigned char*>(bytes.data()),
                                                 static_cast<int>(bytes.size()))));
  return out;
}

std::string der_of(const X509* certificate) {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(certificate, &bytes);
  std::string der(reinterpret_cast<const char*>(bytes), static_cast<size_t>(std::max(size, 0)));
  OPENSSL_free(bytes);
  return der;
}

std::string fingerprint_of(const X509* certificate) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  X509_digest(certificate, EVP_sha256(), reinterpret_cast<unsigned char*>(digest.data()), &size);
  return hex_of({digest.data(), size});
}

}  // namespace

std::string_view name_of(TlsFault fault) {
  switch (fault) {
    case TlsFault::timed_out: return "timed_out";
    case TlsFault::closed: return "closed";
    case TlsFault::not_tls: return "not_tls";
    case TlsFault::version: return "version";
    case TlsFault::cipher: return "cipher";
    case TlsFault::protocol: return "protocol";
    case TlsFault::no_certificate: return "no_certificate";
    case TlsFault::bad_certificate: return "bad_certificate";
    case TlsFault::alert: return "alert";
    case TlsFault::other: return "other";
  }
  return "other";
}

TlsFailure failure_of(const ssl_st* ssl) {
  const auto error = ERR_peek_error();
  if (error == 0) return {TlsFault::closed, "the connection was closed in the handshake"};
  const TlsFault fault = fault_of(error);
  const long verdict = SSL_get_verify_result(ssl);
  if (fault == TlsFault::bad_certificate && verdict != X509_V_OK)
    return {fault, X509_verify_cert_error_string(verdict)};
  const char* const reason = ERR_reason_error_string(error);
  return {fault, reason ? reason : "the handshake failed"};
}

std::unique_ptr<const TlsPeerCertificate> peer_certificate_of(const ssl_st* ssl) {
  const X509* const certificate = SSL_get0_peer_certificate(ssl);
  if (!certificate) return nullptr;
  auto peer = std::make_unique<TlsPeerCertificate>();
  peer->subject = subject_of(certificate);
  peer->names = names_of(certificate);
  peer->fingerprint = fingerprint_of(certificate);
  peer->base64 = base64_of(der_of(certificate));
  return peer;
}

}  // namespace weir::net
