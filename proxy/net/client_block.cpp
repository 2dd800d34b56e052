#include "net/client_block.h"

#include "base/hash.h"
#include "net/address.h"

namespace weir::net {

uint64_t block_of(std::string_view ip, uint64_t seed) {
  constexpr size_t kBytes = 6;  // a /48
  const auto address = ip.contains(':') ? Address::parse_ip(ip, 0) : std::nullopt;
  if (!address || address->family() != AF_INET6) return hash(ip, seed);
  const auto& whole = reinterpret_cast<const sockaddr_in6*>(address->get())->sin6_addr.s6_addr;
  return hash({reinterpret_cast<const char*>(whole), kBytes}, seed);
}

}  // namespace weir::net
