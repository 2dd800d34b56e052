#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::net {

/// One SRV record (RFC 2782).
struct SrvRecord {
  std::string target;
  uint16_t port = 0;
  uint16_t priority = 0;
  uint16_t weight = 0;
  uint32_t ttl = 0;  // seconds
};

/// The SRV records of a raw DNS answer (c-ares has no TTL for them); nothing when the answer is malformed.
std::optional<std::vector<SrvRecord>> parse_srv(std::span<const unsigned char> answer);

}  // namespace weir::net
