#include "net/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>

#include "base/text.h"

namespace weir::net {

namespace {

constexpr std::string_view kUnix = "unix:";
constexpr unsigned char kMappedPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};  // ::ffff:0:0/96

const sockaddr_in& v4(const sockaddr* address) { return *reinterpret_cast<const sockaddr_in*>(address); }
const sockaddr_in6& v6(const sockaddr* address) { return *reinterpret_cast<const sockaddr_in6*>(address); }

std::optional<uint16_t> parse_port(std::string_view text) {
  const auto port = parse_decimal(text);
  if (!port || *port > UINT16_MAX) return std::nullopt;
  return static_cast<uint16_t>(*port);
}

/// "1.2.3.4" or "::1" as its 4 or 16 bytes.
int parse_bytes_of(std::string_view ip, unsigned char (&bytes)[16]) {
  char text[INET6_ADDRSTRLEN];
  if (ip.empty() || ip.size() >= sizeof text) return 0;
  text[ip.copy(text, ip.size())] = '\0';
  if (inet_pton(AF_INET, text, bytes) == 1) return AF_INET;
  if (inet_pton(AF_INET6, text, bytes) == 1) return AF_INET6;
  return 0;
}

/// inet_ntop prints; this is on every request's way.
std::string_view v4_text(const in_addr& address, std::span<char> to) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(&address);
  char* at = to.data();
  for (int i = 0; i < 4; ++i) {
    if (i > 0) *at++ = '.';
    at = std::to_chars(at, to.data() + to.size(), bytes[i]).ptr;
  }
  return {to.data(), static_cast<size_t>(at - to.data())};
}

/// The path of a unix socket; an abstract one (leading NUL) begins with '@'.
std::string path_of(const sockaddr_un& address, socklen_t size) {
  const size_t length = size - offsetof(sockaddr_un, sun_path);
  if (size <= offsetof(sockaddr_un, sun_path)) return "";
  if (address.sun_path[0] == '\0') return "@" + std::string(address.sun_path + 1, length - 1);
  return {address.sun_path, strnlen(address.sun_path, length)};
}

}  // namespace

Address::Address(const sockaddr* address, socklen_t size) : size_(size) {
  if (address->sa_family != AF_UNIX) {
    size_ = std::min<socklen_t>(size, sizeof ip_);
    std::memcpy(&ip_, address, size_);
    if (family() == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&ip_.sin6_addr)) unmap();
    return;
  }
  ip_.sin6_family = AF_UNIX;
  if (size <= offsetof(sockaddr_un, sun_path)) return;  // a client's socket has no name
  sockaddr_un path{};
  size_ = std::min<socklen_t>(size, sizeof path);
  std::memcpy(&path, address, size_);
  unix_ = std::make_shared<const sockaddr_un>(path);
}

Address Address::unix_path(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const size_t length = path.copy(address.sun_path, sizeof address.sun_path - 1);
  const bool is_abstract = path.starts_with('@');
  if (is_abstract) address.sun_path[0] = '\0';
  const size_t end = is_abstract ? 0 : 1;  // an abstract name has no NUL after it
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + end);
  return {reinterpret_cast<const sockaddr*>(&address), size};
}

std::optional<Address> Address::parse(std::string_view text) {
  if (text.starts_with(kUnix)) {
    text.remove_prefix(kUnix.size());
    const bool fits = text.size() < sizeof(sockaddr_un::sun_path) && text.find('\0') == std::string_view::npos;
    if (text.empty() || text == "@" || !fits) return std::nullopt;
    return unix_path(text);
  }
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_port(text.substr(colon + 1));
  auto ip = text.substr(0, colon);
  const bool is_bracketed = ip.size() > 2 && ip.front() == '[' && ip.back() == ']';
  if (is_bracketed) ip = ip.substr(1, ip.size() - 2);
  if (!port || is_bracketed != ip.contains(':')) return std::nullopt;
  return parse_ip(ip, *port);
}

std::optional<Address> Address::parse_ip(std::string_view ip, uint16_t port) {
  unsigned char bytes[16];
  switch (parse_bytes_of(ip, bytes)) {
    case AF_INET: {
      sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(port)};
      std::memcpy(&address.sin_addr, bytes, sizeof address.sin_addr);
      return Address(reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    case AF_INET6: {
      sockaddr_in6 address{.sin6_family = AF_INET6, .sin6_port = htons(port)};
      std::memcpy(&address.sin6_addr, bytes, sizeof address.sin6_addr);
      return Address(reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    default: return std::nullopt;
  }
}

std::optional<Address> Address::parse_node(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) {
    const auto ip = text.substr(1, text.size() - 2);
    return ip.contains(':') ? parse_ip(ip, 0) : std::nullopt;
  }
  if (const auto address = parse_ip(text, 0)) return address;
  const auto address = text.starts_with(kUnix) ? std::nullopt : parse(text);
  return address ? std::optional(address->with_port(0)) : std::nullopt;
}

void Address::unmap() {
  sockaddr_in address{.sin_family = AF_INET, .sin_port = ip_.sin6_port};
  std::memcpy(&address.sin_addr, &ip_.sin6_addr.s6_addr[sizeof kMappedPrefix], sizeof address.sin_addr);
  ip_ = {};
  size_ = sizeof address;
  std::memcpy(&ip_, &address, size_);
}

uint16_t Address::port() const {
  if (family() == AF_INET) return ntohs(v4(get()).sin_port);
  if (family() == AF_INET6) return ntohs(v6(get()).sin6_port);
  return 0;
}

Address Address::with_port(uint16_t port) const {
  Address other = *this;
  if (family() == AF_INET) reinterpret_cast<sockaddr_in&>(other.ip_).sin_port = htons(port);
  if (family() == AF_INET6) other.ip_.sin6_port = htons(port);
  return other;
}

std::string Address::text() const {
  if (is_unix()) return std::string(kUnix) + (unix_ ? path_of(*unix_, size_) : "");
  char buffer[INET6_ADDRSTRLEN];
  const std::string ip(this->ip(buffer));
  const std::string port = std::to_string(this->port());
  return family() == AF_INET6 ? "[" + ip + "]:" + port : ip + ":" + port;
}

std::string_view Address::ip(std::span<char> to) const {
  if (is_unix()) return kUnix;
  if (family() == AF_INET) return v4_text(v4(get()).sin_addr, to);
  if (family() != AF_INET6 || !inet_ntop(AF_INET6, &v6(get()).sin6_addr, to.data(), static_cast<socklen_t>(to.size())))
    return "";
  return to.data();
}

bool Address::operator==(const Address& other) const {
  if (family() != other.family()) return false;
  switch (family()) {
    case AF_INET: return port() == other.port() && v4(get()).sin_addr.s_addr == v4(other.get()).sin_addr.s_addr;
    case AF_INET6:
      return port() == other.port() && v6(get()).sin6_scope_id == v6(other.get()).sin6_scope_id &&
             std::memcmp(&v6(get()).sin6_addr, &v6(other.get()).sin6_addr, sizeof(in6_addr)) == 0;
    default: return size_ == other.size_ && std::memcmp(get(), other.get(), size_) == 0;
  }
}

std::optional<Network> Network::parse(std::string_view text) {
  Network network;
  if (text == kUnix) {
    network.family_ = AF_UNIX;
    return network;
  }
  const auto slash = text.find('/');
  network.family_ = parse_bytes_of(text.substr(0, slash), network.bytes_);
  if (network.family_ == 0) return std::nullopt;
  const uint64_t bits = network.family_ == AF_INET ? 32 : 128;
  const auto prefix = slash == std::string_view::npos ? bits : parse_decimal(text.substr(slash + 1));
  if (!prefix || *prefix > bits) return std::nullopt;
  network.prefix_ = static_cast<int>(*prefix);
  if (network.family_ == AF_INET6 && network.prefix_ >= 96 &&
      std::memcmp(network.bytes_, kMappedPrefix, sizeof kMappedPrefix) == 0) {
    network.family_ = AF_INET;
    network.prefix_ -= 96;
    std::memmove(network.bytes_, network.bytes_ + sizeof kMappedPrefix, 4);
  }
  return network;
}

std::string Network::text() const {
  if (family_ == AF_UNIX) return std::string(kUnix);
  char text[INET6_ADDRSTRLEN];
  ::inet_ntop(family_, bytes_, text, sizeof text);
  return std::string(text) + "/" + std::to_string(prefix_);
}

bool Network::contains(const Address& address) const {
  const int family = address.family();
  const unsigned char* bytes = nullptr;
  if (family == AF_INET) bytes = reinterpret_cast<const unsigned char*>(&v4(address.get()).sin_addr);
  if (family == AF_INET6) bytes = v6(address.get()).sin6_addr.s6_addr;
  if (family != family_) return false;
  if (family == AF_UNIX) return true;
  const int whole = prefix_ / 8;
  if (std::memcmp(bytes, bytes_, static_cast<size_t>(whole)) != 0) return false;
  const int rest = prefix_ % 8;
  return rest == 0 || ((bytes[whole] ^ bytes_[whole]) >> (8 - rest)) == 0;
}

}  // namespace weir::net
