#pragma once

#include <expected>
#include <memory>
#include <string>

struct ssl_ctx_st;
struct ssl_st;

namespace weir::net {

/// Whose certificates are believed. Immutable; copies share.
class TlsAuthorities {
 public:
  /// Those of the machine (`/etc/ssl/certs`), looked up as they are needed.
  static TlsAuthorities of_the_system();
  /// Those of a PEM file; else what is wrong with it.
  static std::expected<TlsAuthorities, std::string> load(const std::string& path);

  /// Of the file's bytes; "" for the machine's.
  const std::string& digest() const;

  /// Is the certificate that this client showed one of theirs, and valid now? False without one.
  bool vouch_for_client(const ssl_st* ssl) const;

  // For the contexts.
  void install(ssl_ctx_st* context) const;
  /// Tells clients whose certificates are asked for.
  void announce(ssl_ctx_st* context) const;

 private:
  struct Parts;
  explicit TlsAuthorities(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

  std::shared_ptr<const Parts> parts_;
};

}  // namespace weir::net
