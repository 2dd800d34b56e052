#pragma once

#include <cstdint>
#include <string_view>

namespace weir::net {

/// The hash of the block of addresses that one subscriber may have: an IPv4 address as itself, an IPv6 address by its
/// /48. Anything else as its text.
uint64_t block_of(std::string_view ip, uint64_t seed);

}  // namespace weir::net
