#include "net/proxy_protocol.h"

#include <arpa/inet.h>

#include <array>
#include <cstring>

#include "base/text.h"
#include "net/proxy_protocol_v2.h"

namespace weir::net {

namespace {

constexpr std::string_view kBegin = "PROXY ";
constexpr size_t kLongestLine = 107;  // CRLF included

constexpr std::string_view kMalformed = "a malformed PROXY line";

/// The next word of a line whose words are a single space apart.
std::string_view take_word(std::string_view& line) {
  const auto space = line.find(' ');
  const auto word = line.substr(0, space);
  line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
  return word;
}

/// Without sign and leading zeros.
std::optional<uint16_t> parse_port(std::string_view text) {
  const auto number = parse_decimal(text);
  if (!number || *number > UINT16_MAX || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  return static_cast<uint16_t>(*number);
}

/// An IPv4-mapped address belongs to TCP6.
std::optional<Address> address_of(int family, std::string_view ip, std::string_view port) {
  const auto number = parse_port(port);
  if (!number || ip.contains(':') != (family == AF_INET6)) return std::nullopt;
  return Address::parse_ip(ip, *number);
}

/// What is between "PROXY " and CRLF.
std::expected<ProxyHeader, std::string_view> read_line(std::string_view line) {
  const auto protocol = take_word(line);
  if (protocol == "UNKNOWN") return ProxyHeader{};  // whatever follows
  if (protocol != "TCP4" && protocol != "TCP6") return std::unexpected(kMalformed);
  const int family = protocol == "TCP4" ? AF_INET : AF_INET6;
  const auto source_ip = take_word(line);
  const auto destination_ip = take_word(line);
  const auto source_port = take_word(line);
  const auto source = address_of(family, source_ip, source_port);
  const auto destination = address_of(family, destination_ip, line);
  if (!source || !destination) return std::unexpected(kMalformed);
  ProxyHeader header;
  header.ends = {*source, *destination};
  return header;
}

ProxyParse parse_line(std::string_view bytes) {
  const auto end = bytes.find_first_of("\r\n");
  if (std::min(end, bytes.size()) + 2 > kLongestLine) return std::unexpected("a PROXY line longer than 107 bytes");
  if (end == std::string_view::npos) return std::nullopt;
  if (bytes[end] == '\r' && end + 1 == bytes.size()) return std::nullopt;
  if (!bytes.substr(end).starts_with("\r\n")) return std::unexpected(kMalformed);
  auto header = read_line(bytes.substr(kBegin.size(), end - kBegin.size()));
  if (!header) return std::unexpected(header.error());
  return ParsedProxyHeader{std::move(*header), end + 2};
}

using Ip4 = std::array<char, 4>;
using Ip6 = std::array<char, 16>;
constexpr std::string_view kMapped{"\0\0\0\0\0\0\0\0\0\0\xff\xff", 12};  // RFC 4291 section 2.5.5.2

/// IPv4 is written as mapped.
std::optional<Ip6> ip6_of(const Address& address) {
  Ip6 ip;
  if (address.family() == AF_INET6) {
    std::memcpy(ip.data(), &reinterpret_cast<const sockaddr_in6*>(address.get())->sin6_addr, ip.size());
    return ip;
  }
  if (address.family() != AF_INET) return std::nullopt;
  kMapped.copy(ip.data(), kMapped.size());
  std::memcpy(&ip[kMapped.size()], &reinterpret_cast<const sockaddr_in*>(address.get())->sin_addr, sizeof(Ip4));
  return ip;
}

template <class Ip>
std::string_view view(const Ip& ip) {
  return {ip.data(), ip.size()};
}

bool is_mapped(const Ip6& ip) { return view(ip).starts_with(kMapped); }

std::string text_of(int family, std::string_view ip) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(family, ip.data(), text.data(), text.size());
  return text.data();
}

}  // namespace

ProxyParse parse_proxy_header(std::string_view bytes) {
  for (const auto begin : {kBegin, proxy_v2::kSignature}) {
    const size_t known = std::min(bytes.size(), begin.size());
    if (bytes.substr(0, known) != begin.substr(0, known)) continue;
    if (known < begin.size()) return std::nullopt;
    return begin == kBegin ? parse_line(bytes) : proxy_v2::parse(bytes);
  }
  return std::unexpected("no PROXY header");
}

std::string write_proxy_header(ProxyVersion version, const Address& source, const Address& destination) {
  const auto from = ip6_of(source);
  const auto to = ip6_of(destination);
  const bool is_known = from && to;
  const bool is_ip4 = is_known && is_mapped(*from) && is_mapped(*to);
  const size_t skipped = is_ip4 ? kMapped.size() : 0;
  const auto from_ip = is_known ? view(*from).substr(skipped) : "";
  const auto to_ip = is_known ? view(*to).substr(skipped) : "";
  if (version == ProxyVersion::v2) {
    using enum proxy_v2::Family;
    const auto family = !is_known ? unspecified : is_ip4 ? ip4 : ip6;
    return proxy_v2::write(family, std::string(from_ip) + std::string(to_ip), source.port(), destination.port());
  }
  if (!is_known) return write_local_proxy_header(version);
  const int family = is_ip4 ? AF_INET : AF_INET6;
  return std::string(kBegin) + (is_ip4 ? "TCP4 " : "TCP6 ") + text_of(family, from_ip) + ' ' + text_of(family, to_ip) +
         ' ' + std::to_string(source.port()) + ' ' + std::to_string(destination.port()) + "\r\n";
}

std::string write_local_proxy_header(ProxyVersion version) {
  return version == ProxyVersion::v2 ? proxy_v2::write_local() : "PROXY UNKNOWN\r\n";
}

}  // namespace weir::net
