#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir::net {

/// An IPv4, IPv6 or unix-domain socket address: a value. An IPv4-mapped IPv6 address (::ffff:10.1.1.1, as sockets that
/// take both families have it) is the IPv4 address.
class Address {
 public:
  Address() = default;
  Address(const sockaddr* address, socklen_t size);
  static Address unix_path(std::string_view path);
  /// "127.0.0.1:80", "[::1]:80", "unix:/run/x.sock", "unix:@abstract"; no names. Nothing when it is none of these.
  static std::optional<Address> parse(std::string_view text);
  /// An IP address without port.
  static std::optional<Address> parse_ip(std::string_view ip, uint16_t port);
  /// An IP address as proxies write it, perhaps with a port, which is ignored: "10.1.1.1", "10.1.1.1:1234", "::1",
  /// "[::1]", "[::1]:443".
  static std::optional<Address> parse_node(std::string_view text);

  const sockaddr* get() const {
    return reinterpret_cast<const sockaddr*>(unix_ ? static_cast<const void*>(unix_.get()) : &ip_);
  }
  socklen_t size() const { return size_; }
  int family() const { return ip_.sin6_family; }
  bool is_ip() const { return family() == AF_INET || family() == AF_INET6; }
  bool is_unix() const { return family() == AF_UNIX; }
  uint16_t port() const;
  Address with_port(uint16_t port) const;

  /// "127.0.0.1:80", "[::1]:80", "unix:/run/x.sock".
  std::string text() const;
  /// Without port; "unix:" for unix sockets. Writes into `to` (46 bytes at least).
  std::string_view ip(std::span<char> to) const;
  bool operator==(const Address& other) const;

 private:
  void unmap();

  sockaddr_in6 ip_{};                        // also holds a sockaddr_in; of a unix socket only the family
  std::shared_ptr<const sockaddr_un> unix_;  // shared by copies: addresses are copied on the hot path, paths are long
  socklen_t size_ = 0;
};

/// A CIDR block: "10.0.0.0/8", "::1", "unix:" (every unix-socket peer). One of IPv4-mapped addresses is one of IPv4.
class Network {
 public:
  static std::optional<Network> parse(std::string_view text);
  bool contains(const Address& address) const;
  std::string text() const;

 private:
  int family_ = 0;
  unsigned char bytes_[16]{};
  int prefix_ = 0;
};

}  // namespace weir::net
