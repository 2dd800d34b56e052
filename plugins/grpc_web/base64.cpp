#include "plugins/grpc_web/base64.h"

#include <array>

namespace weir::plugins {

namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kNone = 0xff;

constexpr auto kValues = [] {
  std::array<uint8_t, 256> values;
  values.fill(kNone);
  for (size_t i = 0; i < kAlphabet.size(); ++i)
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<uint8_t>(i);
  return values;
}();

/// `count` bytes, 1 to 3, as a group of four characters.
void encode_group(const char* bytes, size_t count, char* out) {
  uint32_t bits = 0;
  for (size_t i = 0; i < 3; ++i) bits = bits << 8 | (i < count ? static_cast<unsigned char>(bytes[i]) : 0);
  for (size_t i = 0; i < 4; ++i) out[i] = i <= count ? kAlphabet[bits >> (18 - 6 * i) & 63] : '=';
}

}  // namespace

size_t encode_base64(std::string_view bytes, char* out) {
  char* const begin = out;
  for (size_t at = 0; at < bytes.size(); at += 3, out += 4) {
    encode_group(bytes.data() + at, std::min<size_t>(3, bytes.size() - at), out);
  }
  return static_cast<size_t>(out - begin);
}

std::optional<size_t> Base64Decoder::decode(std::string_view text, char* out) {
  char* const begin = out;
  for (const char c : text) {
    const uint8_t value = kValues[static_cast<unsigned char>(c)];
    const bool is_padding = c == '=' && count_ >= 2;
    if (!is_padding && (value == kNone || padding_ > 0)) return std::nullopt;
    padding_ += is_padding;
    bits_ = bits_ << 6 | (is_padding ? 0 : value);
    if (++count_ < 4) continue;
    for (int i = 0; i < 3 - padding_; ++i) *out++ = static_cast<char>(bits_ >> (16 - 8 * i));
    *this = Base64Decoder();
  }
  return static_cast<size_t>(out - begin);
}

}  // namespace weir::plugins
