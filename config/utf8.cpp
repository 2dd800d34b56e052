#include "config/utf8.h"

#include <algorithm>
#include <array>

namespace weir::config {

namespace {

struct Range {
  char32_t first, last;
};
// The blocks that matter in practice (Unicode 15, EastAsianWidth W and F; combining marks and joiners).
constexpr std::array kWide{Range{0x1100, 0x115f},   Range{0x2e80, 0xa4cf},   Range{0xac00, 0xd7a3},
                           Range{0xf900, 0xfaff},   Range{0xfe30, 0xfe6f},   Range{0xff00, 0xff60},
                           Range{0xffe0, 0xffe6},   Range{0x1f300, 0x1f64f}, Range{0x1f680, 0x1f6ff},
                           Range{0x1f900, 0x1faff}, Range{0x20000, 0x3fffd}};
constexpr std::array kZero{Range{0x300, 0x36f}, Range{0x200b, 0x200f}, Range{0x20d0, 0x20ff}, Range{0xfe00, 0xfe0f}};

template <size_t N>
bool is_in(const std::array<Range, N>& ranges, char32_t c) {
  return std::any_of(ranges.begin(), ranges.end(), [c](const Range& r) { return c >= r.first && c <= r.last; });
}

constexpr unsigned char byte(char c) { return static_cast<unsigned char>(c); }

/// The bytes that a character with this first byte has; 0 for none.
size_t size_by_lead(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead < 0xe0) return 2;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  if (lead >= 0xf0 && lead < 0xf5) return 4;
  return 0;
}

char32_t decode_character(std::string_view text, size_t size) {
  if (size == 1) return byte(text[0]);
  char32_t c = byte(text[0]) & (0x7f >> size);
  for (size_t i = 1; i < size; ++i) c = (c << 6) | (byte(text[i]) & 0x3f);
  return c;
}

/// RFC 3629: no overlong forms, no surrogates, nothing above 10FFFF.
bool is_valid(std::string_view text, size_t size) {
  static constexpr std::array<char32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
  if (size == 0 || size > text.size()) return false;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(text[i]) & 0xc0) != 0x80) return false;
  }
  const char32_t c = decode_character(text, size);
  if (size == 1) return (c >= 0x20 && c != 0x7f) || c == '\t' || c == '\n' || c == '\r';
  return c >= kLeast[size] && c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
}

}  // namespace

size_t first_unprintable(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t size = size_by_lead(byte(text[at]));
    if (!is_valid(text.substr(at), size)) break;
    at += size;
  }
  return at;
}

bool is_printable_name(std::string_view text) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ') return false;
  for (size_t at = 0; at < text.size();) {
    const size_t size = size_by_lead(byte(text[at]));
    if (!is_valid(text.substr(at), size)) return false;
    const char32_t c = decode_character(text.substr(at), size);
    const bool is_control = c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
    if (is_control || c == '/') return false;
    at += size;
  }
  return true;
}

std::string without_controls(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    if (byte(c) >= 0x20 && byte(c) != 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += kDigits[byte(c) >> 4];
      out += kDigits[byte(c) & 15];
    }
  }
  return out;
}

size_t character_size(std::string_view text) { return std::clamp<size_t>(size_by_lead(byte(text[0])), 1, text.size()); }

size_t count_characters(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (byte(c) & 0xc0) != 0x80; }));
}

size_t display_width(std::string_view text) {
  const char32_t c = decode_character(text, character_size(text));
  if (is_in(kZero, c)) return 0;
  return is_in(kWide, c) ? 2 : 1;
}

}  // namespace weir::config
