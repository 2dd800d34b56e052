#include "net/proxy_protocol.h"

#include <doctest/doctest.h>

#include "base/crc32c.h"

namespace weir::net {
namespace {

using namespace std::string_literals;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;
const std::string kLoopback = "\x0a\x01\x02\x03\x7f\0\0\1\x12\x67\x1f\x90"s;  // 10.1.2.3:4711 to 127.0.0.1:8080

std::string size16(size_t size) { return {static_cast<char>(size >> 8), static_cast<char>(size)}; }

std::string v2(const std::string& rest, char command = 0x21, char family = 0x11) {
  return kSignature + command + family + size16(rest.size()) + rest;
}
std::string tlv(char type, const std::string& value) { return type + size16(value.size()) + value; }

/// With a checksum in its last field.
std::string summed(std::string rest) {
  auto header = v2(rest + tlv(3, "\0\0\0\0"s));
  const uint32_t sum = crc32c(header);
  for (int i = 0; i < 4; ++i) header[header.size() - 4 + i] = static_cast<char>(sum >> (24 - 8 * i));
  return header;
}

/// What `bytes` mean when they come all at once, as they must in fragments of every size.
ProxyParse parse(const std::string& bytes) {
  const auto whole = parse_proxy_header(bytes);
  for (const size_t fragment : {1, 2, 3, 7, 31}) {
    ProxyParse parsed = std::nullopt;
    for (size_t end = 0; parsed && !*parsed && end < bytes.size();) {
      end = std::min(end + fragment, bytes.size());
      parsed = parse_proxy_header(std::string_view(bytes).substr(0, end));
    }
    REQUIRE(parsed.has_value() == whole.has_value());
    if (!parsed) {
      CHECK(parsed.error() == whole.error());
    } else {
      REQUIRE(parsed->has_value() == whole->has_value());
      if (*parsed) CHECK((*parsed)->size == (*whole)->size);
    }
  }
  return whole;
}

ProxyHeader header_of(const std::string& bytes) {
  const auto parsed = parse(bytes + "GET / HTTP/1.1\r\n");
  REQUIRE_MESSAGE(parsed, parsed.error());
  REQUIRE(parsed->has_value());
  CHECK((*parsed)->size == bytes.size());
  return (*parsed)->header;
}

/// "source destination", or "none".
std::string ends_of(const std::string& bytes) {
  const auto header = header_of(bytes);
  return header.ends ? header.ends->source.text() + " " + header.ends->destination.text() : "none";
}

std::string wrong(const std::string& bytes) {
  const auto parsed = parse(bytes);
  return parsed ? "nothing" : std::string(parsed.error());
}

bool wants_more(const std::string& bytes) {
  const auto parsed = parse(bytes);
  return parsed && !*parsed;
}

Address address(std::string_view text) { return *Address::parse(text); }

}  // namespace

TEST_CASE("proxy protocol: a line tells both ends") {
  CHECK(ends_of("PROXY TCP4 10.1.2.3 127.0.0.1 4711 8080\r\n") == "10.1.2.3:4711 127.0.0.1:8080");
  CHECK(ends_of("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n") == "[2001:db8::1]:0 [::1]:65535");
}

TEST_CASE("proxy protocol: UNKNOWN tells nothing, whatever stands behind it") {
  CHECK(ends_of("PROXY UNKNOWN\r\n") == "none");
  CHECK(ends_of("PROXY UNKNOWN ffff:f...f:ffff what ever\r\n") == "none");
}

TEST_CASE("proxy protocol: a malformed line is refused") {
  for (const auto* line : {
           "PROXY TCP4 10.1.2.3 127.0.0.1 4711\r\n",
           "PROXY TCP4 10.1.2.3 127.0.0.1 4711 8080 1\r\n",
           "PROXY TCP4  10.1.2.3 127.0.0.1 4711 8080\r\n",
           "PROXY TCP4 10.1.2.3 127.0.0.1 4711 8080 \r\n",
           "PROXY TCP4 10.1.2.3 127.0.0.1 04711 8080\r\n",
           "PROXY TCP4 10.1.2.3 127.0.0.1 4711 65536\r\n",
           "PROXY TCP4 10.1.2.3 127.0.0.1 -1 8080\r\n",
           "PROXY TCP4 10.1.2.3 127.0.0.1 4711 8080\n",
           "PROXY TCP4 10.1.2.3 127.0.0.1 4711 8080\rX",
           "PROXY TCP4 ::1 ::1 4711 8080\r\n",
           "PROXY TCP6 10.1.2.3 127.0.0.1 4711 8080\r\n",
           "PROXY TCP4 10.1.2.300 127.0.0.1 4711 8080\r\n",
           "PROXY TCP5 10.1.2.3 127.0.0.1 4711 8080\r\n",
           "PROXY UDP4 10.1.2.3 127.0.0.1 4711 8080\r\n",
           "PROXY UNKNOWNS\r\n",
           "PROXY \r\n",
       }) {
    CAPTURE(line);
    CHECK(wrong(line) == "a malformed PROXY line");
  }
}

TEST_CASE("proxy protocol: a line has 107 bytes at most") {
  const std::string unknown = "PROXY UNKNOWN ";
  CHECK(ends_of(unknown + std::string(107 - unknown.size() - 2, 'x') + "\r\n") == "none");
  CHECK(wrong(unknown + std::string(107 - unknown.size() - 1, 'x') + "\r\n") == "a PROXY line longer than 107 bytes");
  CHECK(wrong("PROXY " + std::string(10'000, 'x')) == "a PROXY line longer than 107 bytes");
}

TEST_CASE("proxy protocol: anything else is no header") {
  for (const auto& bytes : {"GET / HTTP/1.1\r\n"s, "proxy TCP4 "s, "PROXYTCP4"s, "\r\nGET / "s, "\x16\x03\x01"s, "\0"s,
                            "\r\n\r\n\0\r\nQUIT\r"s}) {
    CAPTURE(bytes);
    CHECK(wrong(bytes) == "no PROXY header");
  }
}

TEST_CASE("proxy protocol: what has begun well wants more") {
  CHECK(wants_more(""));
  CHECK(wants_more("PRO"));
  CHECK(wants_more("PROXY TCP4 10.1.2.3"));
  CHECK(wants_more("PROXY UNKNOWN\r"));
  CHECK(wants_more("\r"));
  CHECK(wants_more(kSignature + "\x21"));
  const auto whole = v2(kLoopback);
  CHECK(wants_more(whole.substr(0, whole.size() - 1)));
}

TEST_CASE("proxy protocol 2: tells both ends of IPv4, IPv6 and unix sockets") {
  CHECK(ends_of(v2(kLoopback)) == "10.1.2.3:4711 127.0.0.1:8080");
  const std::string v6 = "\x20\x01\x0d\xb8"s + std::string(11, '\0') + '\1';
  CHECK(ends_of(v2(v6 + v6 + "\x12\x67\x1f\x90", 0x21, 0x21)) == "[2001:db8::1]:4711 [2001:db8::1]:8080");
  std::string paths = "/run/a" + std::string(102, '\0') + "/run/b" + std::string(102, '\0');
  CHECK(ends_of(v2(paths, 0x21, 0x31)) == "unix:/run/a unix:/run/b");
}

TEST_CASE("proxy protocol 2: LOCAL and an unspecified family tell nothing, whatever they carry") {
  CHECK(ends_of(v2("", 0x20, 0x00)) == "none");
  CHECK(ends_of(v2(kLoopback, 0x20, 0x11)) == "none");
  CHECK(ends_of(v2("x", 0x20, 0x11)) == "none");
  CHECK(ends_of(v2("garbage", 0x21, 0x00)) == "none");
}

TEST_CASE("proxy protocol 2: fields that we know are read, others skipped") {
  const auto header = header_of(v2(kLoopback + tlv(4, "noop") + tlv(1, "h2") + tlv(2, "shop.example") + tlv(5, "id-1") +
                                   tlv(0x20, "\1\0\0\0\0"s + tlv(0x21, "TLSv1.3")) + tlv('\xee', "")));
  CHECK(header.alpn == "h2");
  CHECK(header.authority == "shop.example");
  CHECK(header.unique_id == "id-1");
  CHECK(header.is_encrypted);
  CHECK_FALSE(header_of(v2(kLoopback + tlv(0x20, "\0\0\0\0\0"s))).is_encrypted);
}

TEST_CASE("proxy protocol 2: a checksum is verified") {
  const auto header = summed(kLoopback + tlv(2, "shop.example"));
  CHECK(header_of(header).authority == "shop.example");
  for (const size_t place : {size_t{17}, size_t{35}, header.size() - 1}) {
    auto changed = header;
    changed[place] ^= 1;
    CHECK(wrong(changed) == "a PROXY header's checksum is wrong");
  }
  CHECK(wrong(v2(kLoopback + tlv(3, "abc"))) == "a PROXY header's checksum isn't four bytes");
}

TEST_CASE("proxy protocol 2: what is cut short or unknown is refused") {
  CHECK(wrong(v2(kLoopback.substr(1))) == "a PROXY header's addresses are cut short");
  CHECK(wrong(v2(kLoopback, 0x21, 0x21)) == "a PROXY header's addresses are cut short");
  CHECK(wrong(v2(kLoopback + "\1")) == "a PROXY header's field is cut short");
  CHECK(wrong(v2(kLoopback + "\1\0\5h2"s)) == "a PROXY header's field is cut short");
  CHECK(wrong(v2(kLoopback + tlv(0x20, "\1\0\0\0"s))) == "a PROXY header's TLS field is cut short");
  CHECK(wrong(v2(kLoopback, 0x11)) == "a PROXY header of an unknown version or command");
  CHECK(wrong(v2(kLoopback, 0x22)) == "a PROXY header of an unknown version or command");
  CHECK(wrong(v2(kLoopback, 0x21, 0x41)) == "a PROXY header of an unknown family or transport");
  CHECK(wrong(v2(kLoopback, 0x21, 0x13)) == "a PROXY header of an unknown family or transport");
}

TEST_CASE("proxy protocol 2: a header is refused for its size before it has come") {
  CHECK(wants_more(kSignature + "\x21\x11" + size16(kLargestProxyHeader - 16)));
  CHECK(wrong(kSignature + "\x21\x11" + size16(kLargestProxyHeader - 15)) == "a PROXY header too large");
}

TEST_CASE("proxy protocol: what is written is read back") {
  for (const auto version : {ProxyVersion::v1, ProxyVersion::v2}) {
    const auto written = [&](const char* source, const char* destination) {
      return ends_of(write_proxy_header(version, address(source), address(destination)));
    };
    CHECK(written("10.1.2.3:4711", "127.0.0.1:80") == "10.1.2.3:4711 127.0.0.1:80");
    CHECK(written("[2001:db8::1]:4711", "[::1]:80") == "[2001:db8::1]:4711 [::1]:80");
    CHECK(written("[2001:db8::1]:4711", "127.0.0.1:80") == "[2001:db8::1]:4711 127.0.0.1:80");
    CHECK(written("[::ffff:10.1.2.3]:4711", "[::ffff:127.0.0.1]:80") == "10.1.2.3:4711 127.0.0.1:80");
    CHECK(written("unix:/run/a", "127.0.0.1:80") == "none");
    CHECK(ends_of(write_local_proxy_header(version)) == "none");
  }
  CHECK(write_local_proxy_header(ProxyVersion::v2) == kSignature + "\x20" + std::string(3, '\0'));  // LOCAL
  CHECK(write_proxy_header(ProxyVersion::v1, address("10.1.2.3:4711"), address("127.0.0.1:80")) ==
        "PROXY TCP4 10.1.2.3 127.0.0.1 4711 80\r\n");
  CHECK(write_proxy_header(ProxyVersion::v2, address("10.1.2.3:4711"), address("127.0.0.1:8080")) == v2(kLoopback));
}

}  // namespace weir::net
