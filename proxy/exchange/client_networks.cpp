#include "exchange/client_networks.h"

#include <algorithm>
#include <cstring>

#include "exchange/exchange.h"

namespace weir {

std::string_view network_of(std::string_view ip, Arena& arena) {
  if (!ip.contains(':')) return ip;
  const auto address = net::Address::parse_ip(ip, 0);
  if (!address || address->family() != AF_INET6) return ip;
  sockaddr_in6 network;
  std::memcpy(&network, address->get(), sizeof network);
  std::memset(&network.sin6_addr.s6_addr[8], 0, 8);
  char text[INET6_ADDRSTRLEN];
  return arena.concat({net::Address(reinterpret_cast<const sockaddr*>(&network), sizeof network).ip(text), "/64"});
}

bool ClientNetworks::add(std::string_view network) {
  const auto parsed = net::Network::parse(network);
  if (parsed) networks_.push_back(*parsed);
  return parsed.has_value();
}

bool ClientNetworks::contain(const Client& client) const {
  if (networks_.empty()) return false;
  const auto address = net::Address::parse_ip(client.ip, 0).value_or(client.peer);
  return std::ranges::any_of(networks_, [&](const auto& network) { return network.contains(address); });
}

}  // namespace weir
