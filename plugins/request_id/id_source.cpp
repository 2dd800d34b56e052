#include "plugins/request_id/id_source.h"

#include <bit>
#include <random>

namespace weir::plugins {

IdSource::IdSource(const Settings&) {
  std::random_device device;
  for (auto& half : state_) half = (static_cast<uint64_t>(device()) << 32) | device();
  state_[0] |= 1;  // the state may not be all zeros
}

/// xoroshiro128+ (Blackman and Vigna).
uint64_t IdSource::random() {
  const uint64_t result = state_[0] + state_[1];
  const uint64_t mixed = state_[0] ^ state_[1];
  state_[0] = std::rotl(state_[0], 24) ^ mixed ^ (mixed << 16);
  state_[1] = std::rotl(mixed, 37);
  return result;
}

IdSource::Text IdSource::next(std::chrono::system_clock::time_point now) {
  constexpr std::string_view kHex = "0123456789abcdef";
  using std::chrono::milliseconds;
  const auto time = static_cast<uint64_t>(std::chrono::floor<milliseconds>(now).time_since_epoch().count());
  const uint64_t halves[2] = {time << 16 | 0x7000 | (random() >> 52), 0x8000000000000000 | (random() >> 2)};
  Text text;
  size_t at = 0;
  for (int digit = 0; digit < 32; ++digit) {
    if (digit == 8 || digit == 12 || digit == 16 || digit == 20) text[at++] = '-';
    text[at++] = kHex[halves[digit / 16] >> (60 - digit % 16 * 4) & 15];
  }
  return text;
}

}  // namespace weir::plugins
