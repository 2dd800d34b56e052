#include "net/tls_openssl.h"

#include <algorithm>

#include "base/read_file.h"

namespace weir::net::tls {

namespace {

constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr size_t kLargestFile = 16 << 20;
constexpr const char* kGroups = "X25519:P-256:P-384";

}  // namespace

std::string take_errors() {
  const auto code = ERR_peek_last_error();
  const char* reason = code ? ERR_reason_error_string(code) : nullptr;
  ERR_clear_error();
  return reason ? reason : "";
}

Text read_file(const std::string& path) {
  auto bytes = weir::read_file(path, kLargestFile + 1);
  if (!bytes) return {{}, "'" + path + "' can't be read: " + bytes.error()};
  if (bytes->size() > kLargestFile) return {{}, "'" + path + "' can't be read: larger than 16MiB"};
  return {std::move(*bytes), {}};
}

Bio reader_of(std::string_view bytes) { return Bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size()))); }

namespace {

/// Where the next line `-----BEGIN … CERTIFICATE-----` (or END) is, also a damaged one; the text's size: nowhere.
size_t find_line(std::string_view pem, std::string_view word, size_t from) {
  for (auto at = pem.find(word, from); at != std::string_view::npos; at = pem.find(word, at + 1)) {
    const auto line = pem.substr(at, pem.find('\n', at) - at);
    if (line.contains("CERTIFICATE") && !line.contains("REQUEST")) return at;
  }
  return pem.size();
}
size_t find_begin(std::string_view pem, size_t from) { return find_line(pem, "-BEGIN ", from); }
size_t find_end(std::string_view pem, size_t from) { return find_line(pem, "-END ", from); }

std::unexpected<std::string> unreadable(const std::string& path, std::string_view pem, size_t at, int number,
                                        const std::string& why) {
  const auto line = 1 + std::ranges::count(pem.substr(0, at), '\n');
  return std::unexpected("'" + path + "': certificate " + std::to_string(number) + " of the file, on line " +
                         std::to_string(line) + ", can't be read: " + why);
}

}  // namespace

std::expected<Certificates, std::string> read_certificates(const std::string& pem, const std::string& path) {
  Certificates all(sk_X509_new_null());
  const std::string_view text = pem;
  const auto flaw = [&](size_t at, const std::string& why) {
    return unreadable(path, pem, at, sk_X509_num(all.get()) + 1, why);
  };
  size_t begin = find_begin(text, 0);
  if (const size_t end = find_end(text, 0); end < begin) return flaw(end, "its first line is missing");
  while (begin < text.size()) {
    const size_t next = find_begin(text, begin + 1);
    const size_t line = text.rfind('\n', begin) + 1;  // npos + 1 is 0
    const Bio bio = reader_of(text.substr(line, next - line));
    X509* const certificate = PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr);
    if (!certificate) return flaw(begin, take_errors());
    sk_X509_push(all.get(), certificate);
    const size_t end = find_end(text, find_end(text, begin) + 1);
    if (end < next) return flaw(end, "its first line is missing");
    begin = next;
  }
  ERR_clear_error();
  if (sk_X509_num(all.get()) == 0) return std::unexpected("'" + path + "' holds no certificate in PEM");
  return all;
}

std::string digest_of(std::initializer_list<std::string_view> pieces) {
  std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>> digest(EVP_MD_CTX_new());
  EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr);
  for (const auto piece : pieces) {
    const uint64_t size = piece.size();
    EVP_DigestUpdate(digest.get(), &size, sizeof size);
    EVP_DigestUpdate(digest.get(), piece.data(), piece.size());
  }
  std::string out(32, '\0');
  EVP_DigestFinal_ex(digest.get(), reinterpret_cast<unsigned char*>(out.data()), nullptr);
  return out;
}

std::string hex_of(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

Context new_context(const SSL_METHOD* method) {
  Context context(SSL_CTX_new(method));
  SSL_CTX* const raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(raw, kCiphers);
  SSL_CTX_set1_groups_list(raw, kGroups);
  SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_clear_mode(raw, SSL_MODE_AUTO_RETRY);  // a peer that sends no data gets no turn without an end
  SSL_CTX_set_read_ahead(raw, 1);
  return context;
}

std::string protocol_list(const std::vector<std::string>& protocols) {
  std::string out;
  for (const auto& protocol : protocols) {
    out += static_cast<char>(protocol.size());
    out += protocol;
  }
  return out;
}

}  // namespace weir::net::tls
