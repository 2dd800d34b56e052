#pragma once

#include <span>

#include "net/proxy_protocol.h"

namespace weir::net::proxy_v2 {

inline constexpr std::string_view kSignature{"\r\n\r\n\0\r\nQUIT\n", 12};

/// Bytes that begin as the signature does.
ProxyParse parse(std::string_view bytes);

enum class Family : uint8_t { unspecified = 0, ip4 = 1, ip6 = 2, unix_path = 3 };
/// `addresses`: source and destination, as the family has them, in network order.
std::string write(Family family, std::string_view addresses, uint16_t source_port, uint16_t destination_port);
std::string write_local();

}  // namespace weir::net::proxy_v2
