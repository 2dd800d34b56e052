#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace weir {

/// Eight bytes of a text in one register: what is asked of each costs one operation for all. The first byte is the
/// lowest, so that the first hit is the lowest bit set.
using Eight = uint64_t;
constexpr Eight eight_times(unsigned char byte) { return 0x0101010101010101u * byte; }

inline Eight load_eight(const char* at) {
  Eight bytes;
  std::memcpy(&bytes, at, sizeof bytes);
  if constexpr (std::endian::native == std::endian::big) bytes = __builtin_bswap64(bytes);
  return bytes;
}

/// The high bit of each byte below `limit` (at most 0x80). Those behind the first hit may be wrong.
constexpr Eight below(Eight bytes, unsigned char limit) {
  return (bytes - eight_times(limit)) & ~bytes & eight_times(0x80);
}
/// The same for those that are `byte`.
constexpr Eight equal(Eight bytes, unsigned char byte) { return below(bytes ^ eight_times(byte), 1); }
/// Which of the eight the first hit is. Only when there is one.
constexpr unsigned first_hit(Eight hits) { return static_cast<unsigned>(std::countr_zero(hits)) / 8; }

/// ASCII capitals become small letters; every other byte stays.
constexpr Eight lower(Eight bytes) {
  const Eight low = bytes & eight_times(0x7f);
  const Eight from_a = low + eight_times(0x80 - 'A');
  const Eight past_z = low + eight_times(0x80 - 'Z' - 1);
  return bytes | (((from_a & ~past_z & ~bytes) & eight_times(0x80)) >> 2);
}

}  // namespace weir
