#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "net/address.h"

// The PROXY protocol (HAProxy's specification, doc/proxy-protocol.txt), versions 1 and 2, as a codec: no I/O. A header
// comes once, before the first byte of the connection that it speaks of.

namespace weir::net {

/// What a header tells.
struct ProxyHeader {
  struct Ends {
    Address source;       // the client
    Address destination;  // where it connected to
  };
  std::optional<Ends> ends;  // none when the sender speaks for itself (LOCAL: a health check) or doesn't know
  // Version 2 alone; empty when not told.
  std::string alpn;
  std::string authority;  // the server name that the client asked for
  std::string unique_id;
  bool is_encrypted = false;  // the client came over TLS
};

struct ParsedProxyHeader {
  ProxyHeader header;
  size_t size = 0;  // bytes of it
};

/// Larger ones of version 2 are refused. Version 1 has 107 at most.
inline constexpr size_t kLargestProxyHeader = 4096;

/// Nothing while more bytes are wanted (all of these are the header's then); else a header, or what is wrong: a text
/// that lives for ever. What is wrong, or whole, stays so whatever follows.
using ProxyParse = std::expected<std::optional<ParsedProxyHeader>, std::string_view>;
ProxyParse parse_proxy_header(std::string_view bytes);

enum class ProxyVersion : uint8_t { v1, v2 };

/// A header on behalf of a client. Ends that are no IP addresses aren't told (UNKNOWN, UNSPEC).
std::string write_proxy_header(ProxyVersion version, const Address& source, const Address& destination);
/// For a connection of our own, such as a health check: LOCAL, or UNKNOWN.
std::string write_local_proxy_header(ProxyVersion version);

}  // namespace weir::net
