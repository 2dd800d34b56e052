#pragma once

#include <string_view>
#include <vector>

#include "base/arena.h"
#include "net/address.h"

namespace weir {

struct Client;

/// What an address counts as when clients are counted: an IPv6 address as its /64 ("2001:db8::/64", made in the
/// arena), any other as itself.
std::string_view network_of(std::string_view ip, Arena& arena);

/// Networks from which clients may come. Immutable once it serves.
class ClientNetworks {
 public:
  /// "10.0.0.0/8", "::1", "unix:". False when it is none.
  bool add(std::string_view network);
  bool empty() const { return networks_.empty(); }
  /// Asks for the client itself, who may stand behind trusted proxies.
  bool contain(const Client& client) const;

 private:
  std::vector<net::Network> networks_;
};

}  // namespace weir
