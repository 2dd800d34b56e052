#include "net/proxy_protocol_v2.h"

#include <netinet/in.h>

#include <cstring>

#include "base/crc32c.h"

// 12 bytes of signature, version and command, family and transport, the length of the rest; then addresses and TLVs.

namespace weir::net::proxy_v2 {

namespace {

constexpr size_t kPrologue = 16;
constexpr size_t kUnixPath = 108;
constexpr char kLocal = 0x20;
constexpr char kProxy = 0x21;

enum Tlv : uint8_t { alpn = 0x01, authority = 0x02, crc = 0x03, unique_id = 0x05, tls = 0x20 };

using Checked = std::expected<void, std::string_view>;

uint16_t number16(std::string_view bytes) {
  return static_cast<uint16_t>(static_cast<unsigned char>(bytes[0]) << 8 | static_cast<unsigned char>(bytes[1]));
}

uint32_t number32(std::string_view bytes) {
  return static_cast<uint32_t>(number16(bytes)) << 16 | number16(bytes.substr(2));
}

std::string bytes_of(uint16_t number) { return {static_cast<char>(number >> 8), static_cast<char>(number & 0xff)}; }

Family family_of(char byte) { return static_cast<Family>(static_cast<unsigned char>(byte) >> 4); }

size_t size_of(Family family) {
  switch (family) {
    case Family::ip4: return 12;
    case Family::ip6: return 36;
    case Family::unix_path: return 2 * kUnixPath;
    case Family::unspecified: break;
  }
  return 0;
}

Address ip4(std::string_view ip, std::string_view port) {
  sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(number16(port))};
  std::memcpy(&address.sin_addr, ip.data(), sizeof address.sin_addr);
  return {reinterpret_cast<const sockaddr*>(&address), sizeof address};
}

Address ip6(std::string_view ip, std::string_view port) {
  sockaddr_in6 address{.sin6_family = AF_INET6, .sin6_port = htons(number16(port))};
  std::memcpy(&address.sin6_addr, ip.data(), sizeof address.sin6_addr);
  return {reinterpret_cast<const sockaddr*>(&address), sizeof address};
}

Address unix_path(std::string_view padded) { return Address::unix_path(padded.substr(0, padded.find('\0'))); }

/// `bytes` has as many as the family takes.
std::optional<ProxyHeader::Ends> ends_of(Family family, std::string_view bytes) {
  switch (family) {
    case Family::ip4: return ProxyHeader::Ends{ip4(bytes, bytes.substr(8)), ip4(bytes.substr(4), bytes.substr(10))};
    case Family::ip6: return ProxyHeader::Ends{ip6(bytes, bytes.substr(32)), ip6(bytes.substr(16), bytes.substr(34))};
    case Family::unix_path:
      return ProxyHeader::Ends{unix_path(bytes.substr(0, kUnixPath)), unix_path(bytes.substr(kUnixPath))};
    case Family::unspecified: break;
  }
  return std::nullopt;
}

/// The sum is over the whole header, with zeros in its own place.
bool is_sum_right(std::string_view header, std::string_view sum) {
  const auto place = static_cast<size_t>(sum.data() - header.data());
  constexpr std::string_view kZeros{"\0\0\0\0", 4};
  const auto computed = crc32c(header.substr(place + 4), crc32c(kZeros, crc32c(header.substr(0, place))));
  return computed == number32(sum);
}

Checked read_tlv(uint8_t type, std::string_view value, std::string_view header, ProxyHeader& out) {
  switch (type) {
    case Tlv::alpn: out.alpn = value; break;
    case Tlv::authority: out.authority = value; break;
    case Tlv::unique_id: out.unique_id = value; break;
    case Tlv::tls:
      if (value.size() < 5) return std::unexpected("a PROXY header's TLS field is cut short");
      out.is_encrypted = value[0] & 1;
      break;
    case Tlv::crc:
      if (value.size() != 4) return std::unexpected("a PROXY header's checksum isn't four bytes");
      if (!is_sum_right(header, value)) return std::unexpected("a PROXY header's checksum is wrong");
      break;
    default: break;  // not ours to know
  }
  return {};
}

Checked read_tlvs(std::string_view rest, std::string_view header, ProxyHeader& out) {
  while (!rest.empty()) {
    if (rest.size() < 3) return std::unexpected("a PROXY header's field is cut short");
    const size_t size = number16(rest.substr(1));
    if (rest.size() < 3 + size) return std::unexpected("a PROXY header's field is cut short");
    const auto type = static_cast<uint8_t>(rest[0]);
    if (const auto read = read_tlv(type, rest.substr(3, size), header, out); !read) return read;
    rest.remove_prefix(3 + size);
  }
  return {};
}

/// `header` is whole. What follows LOCAL, or an unspecified family, is nobody's business.
std::expected<ProxyHeader, std::string_view> read(std::string_view header) {
  ProxyHeader out;
  const Family family = family_of(header[13]);
  if (header[12] == kLocal || family == Family::unspecified) return out;
  const auto rest = header.substr(kPrologue);
  if (rest.size() < size_of(family)) return std::unexpected("a PROXY header's addresses are cut short");
  out.ends = ends_of(family, rest);
  if (const auto tlvs = read_tlvs(rest.substr(size_of(family)), header, out); !tlvs) {
    return std::unexpected(tlvs.error());
  }
  return out;
}

Checked check_prologue(std::string_view bytes) {
  if (bytes[12] != kLocal && bytes[12] != kProxy) {
    return std::unexpected("a PROXY header of an unknown version or command");
  }
  if (family_of(bytes[13]) > Family::unix_path || (bytes[13] & 0xf) > 2) {
    return std::unexpected("a PROXY header of an unknown family or transport");
  }
  if (kPrologue + number16(bytes.substr(14)) > kLargestProxyHeader) return std::unexpected("a PROXY header too large");
  return {};
}

std::string prologue(char command, Family family, size_t rest) {
  constexpr char kStream = 1;
  const char transport = family == Family::unspecified ? 0 : kStream;
  std::string out(kSignature);
  out += command;
  out += static_cast<char>(static_cast<uint8_t>(family) << 4 | transport);
  return out + bytes_of(static_cast<uint16_t>(rest));
}

}  // namespace

ProxyParse parse(std::string_view bytes) {
  if (bytes.size() < kPrologue) return std::nullopt;
  if (const auto checked = check_prologue(bytes); !checked) return std::unexpected(checked.error());
  const size_t size = kPrologue + number16(bytes.substr(14));
  if (bytes.size() < size) return std::nullopt;
  auto header = read(bytes.substr(0, size));
  if (!header) return std::unexpected(header.error());
  return ParsedProxyHeader{std::move(*header), size};
}

std::string write(Family family, std::string_view addresses, uint16_t source_port, uint16_t destination_port) {
  if (family == Family::unspecified) return prologue(kProxy, family, 0);
  return prologue(kProxy, family, addresses.size() + 4) + std::string(addresses) + bytes_of(source_port) +
         bytes_of(destination_port);
}

std::string write_local() { return prologue(kLocal, Family::unspecified, 0); }

}  // namespace weir::net::proxy_v2
