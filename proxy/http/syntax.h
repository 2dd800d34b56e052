#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/text.h"

namespace weir::http {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) { return to_lower(c) >= 'a' && to_lower(c) <= 'z'; }

/// What field values and quoted strings are made of: anything but CTLs, HTAB excepted (RFC 9110 section 5.5).
constexpr bool is_field_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= ' ' && byte != 0x7f) || byte == '\t';
}

/// How many bytes at the front of `text` are field bytes.
inline size_t count_field_bytes(std::string_view text) {
  size_t at = 0;
  while (text.size() - at >= sizeof(Eight)) {
    const Eight bytes = load_eight(text.data() + at);
    const Eight hits = below(bytes, ' ') | equal(bytes, 0x7f);
    if (hits == 0) {
      at += sizeof(Eight);
      continue;
    }
    at += first_hit(hits);
    if (text[at] != '\t') return at;
    ++at;
  }
  while (at < text.size() && is_field_byte(text[at])) ++at;
  return at;
}

/// Which bytes `is_member` holds for.
using ByteTable = std::array<bool, 256>;
constexpr ByteTable table_of(auto is_member) {
  ByteTable table{};
  for (int c = 0; c < 256; ++c) table[c] = is_member(static_cast<char>(c));
  return table;
}
constexpr bool is_in(const ByteTable& table, char c) { return table[static_cast<unsigned char>(c)]; }

/// tchar, RFC 9110 section 5.6.2.
constexpr auto kTokenBytes =
    table_of([](char c) { return is_alpha(c) || is_digit(c) || std::string_view("!#$%&'*+-.^_`|~").contains(c); });
constexpr bool is_token_byte(char c) { return is_in(kTokenBytes, c); }

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
