#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "net/tls_authorities.h"
#include "net/tls_certificate.h"

struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;

namespace weir::net {

/// How an upstream's endpoints are spoken to: whom to believe, who we are. Made once a snapshot, shared by all workers,
/// thread-safe. Keeps the last session with each endpoint, so that the next connection resumes it.
class TlsClient {
 public:
  enum class Verify : uint8_t { on, off };
  struct Settings {
    TlsAuthorities authorities = TlsAuthorities::of_the_system();
    Verify verify = Verify::on;
    std::optional<TlsCertificate> certificate;  // shown to endpoints that ask for one
    std::string server_name;                    // asked for and verified in place of the endpoint's own name
    std::vector<std::string> protocols;         // ALPN, in order of preference; empty: not spoken
  };

  explicit TlsClient(Settings settings);
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;
  ~TlsClient();

  const std::string& server_name() const { return settings_.server_name; }
  /// The same for the same settings and files: a connection may serve whoever has the same identity. Never 0.
  uint64_t identity() const { return identity_; }

  /// For a connection to a peer that must have a certificate for `name`; resumes the session kept under `key`. The
  /// caller keeps the TlsClient as long as the session.
  ssl_st* new_session(const std::string& name, const std::string& key) const;
  /// Keeps a session for the next connection of that key. Takes ownership.
  void keep(const std::string& key, ssl_session_st* session) const;
  /// A handshake that may have offered the session came to nothing: the next one starts afresh.
  void forget(const std::string& key) const;

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
    void operator()(ssl_session_st* session) const;
  };

  Settings settings_;
  uint64_t identity_;
  std::unique_ptr<ssl_ctx_st, Free> context_;
  mutable std::mutex mutex_;
  mutable std::unordered_map<std::string, std::unique_ptr<ssl_session_st, Free>> sessions_;
};

}  // namespace weir::net
