#include "observe/line.h"

namespace weir::observe {

namespace {

constexpr std::string_view kHex = "0123456789abcdef";

unsigned char byte_at(std::string_view text, size_t index) {
  return index < text.size() ? static_cast<unsigned char>(text[index]) : 0;
}

/// The length of the UTF-8 sequence at the start of `text` (RFC 3629), 0 when there is none.
size_t utf8_length(std::string_view text) {
  const unsigned char first = byte_at(text, 0);
  const auto continues = [&](size_t index, unsigned char least = 0x80, unsigned char most = 0xbf) {
    return byte_at(text, index) >= least && byte_at(text, index) <= most;
  };
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const unsigned char least = first == 0xe0 ? 0xa0 : 0x80;
    const unsigned char most = first == 0xed ? 0x9f : 0xbf;  // no surrogates
    return continues(1, least, most) && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const unsigned char least = first == 0xf0 ? 0x90 : 0x80;
    const unsigned char most = first == 0xf4 ? 0x8f : 0xbf;  // no more than U+10FFFF
    return continues(1, least, most) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

bool is_plain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\';
}

}  // namespace

void Line::add_seconds(Duration took) {
  const auto count = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
  const auto ms = static_cast<uint64_t>(count > 0 ? count : 0);
  add_number(ms / 1000);
  const char digits[4] = {'.', static_cast<char>('0' + ms / 100 % 10), static_cast<char>('0' + ms / 10 % 10),
                          static_cast<char>('0' + ms % 10)};
  add(std::string_view(digits, 4));
}

void Line::add_json(std::string_view text) {
  while (!text.empty()) {
    size_t plain = 0;
    while (plain < text.size() && is_plain(text[plain])) ++plain;
    add(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) return;
    const char c = text[0];
    const size_t sequence = utf8_length(text);
    if (sequence) {
      add(text.substr(0, sequence));
    } else if (c == '"' || c == '\\') {
      const char escaped[2] = {'\\', c};
      add(std::string_view(escaped, 2));
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      add("\\ufffd");
    } else {
      const char escaped[6] = {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
      add(std::string_view(escaped, 6));
    }
    text.remove_prefix(sequence ? sequence : 1);
  }
}

void Line::add_escaped(std::string_view text) {
  while (!text.empty()) {
    size_t plain = 0;
    while (plain < text.size() && is_plain(text[plain])) ++plain;
    add(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) return;
    const auto byte = static_cast<unsigned char>(text[0]);
    const char escaped[4] = {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    add(std::string_view(escaped, 4));
    text.remove_prefix(1);
  }
}

}  // namespace weir::observe
