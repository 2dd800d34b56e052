#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/text.h"

namespace weir::http {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) { return to_lower(c) >= 'a' && to_lower(c) <= 'z'; }

/// What field values and quoted strings are made of: anything but CTLs, HTAB excepted (RFC 9110 section 5.5).
constexpr bool is_field_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= ' ' && byte != 0x7f) || byte == '\t';
}

/// tchar, RFC 9110 section 5.6.2.
constexpr auto kTokenBytes = [] {
  std::array<bool, 256> table{};
  for (int c = 0; c < 128; ++c) table[c] = is_alpha(static_cast<char>(c)) || is_digit(static_cast<char>(c));
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}();
constexpr bool is_token_byte(char c) { return kTokenBytes[static_cast<unsigned char>(c)]; }

constexpr bool is_token(std::string_view text) {
  for (char c : text) {
    if (!is_token_byte(c)) return false;
  }
  return !text.empty();
}

/// The value of a hex digit, or -1.
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// The byte that an escape `%XX` at the start of `text` stands for, or -1.
constexpr int escaped_byte(std::string_view text) {
  if (text.size() < 3 || text[0] != '%' || hex_value(text[1]) < 0 || hex_value(text[2]) < 0) return -1;
  return hex_value(text[1]) * 16 + hex_value(text[2]);
}

}  // namespace weir::http
