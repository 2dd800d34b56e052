#pragma once

#include <cstdint>
#include <string_view>

namespace weir {

/// Well spread 64 bits of a text (XXH3); the same on every machine and in every version. Not against attackers.
uint64_t hash(std::string_view text, uint64_t seed = 0);

/// Another number from a number, as well spread (splitmix64's last step).
constexpr uint64_t mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

}  // namespace weir
