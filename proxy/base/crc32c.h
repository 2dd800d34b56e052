#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace weir {

inline constexpr auto kCrc32cTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < table.size(); ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (value & 1 ? 0x82f63b78 : 0);
    table[i] = value;
  }
  return table;
}();

/// CRC-32C (Castagnoli, RFC 3385) of some bytes; to go on from what came before, hand in its result.
constexpr uint32_t crc32c(std::string_view bytes, uint32_t before = 0) {
  uint32_t crc = ~before;
  for (const char c : bytes) crc = (crc >> 8) ^ kCrc32cTable[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return ~crc;
}

static_assert(crc32c("123456789") == 0xe3069283);

}  // namespace weir
