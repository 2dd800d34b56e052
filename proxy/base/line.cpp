#include "base/line.h"

namespace weir {

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

/// An escaped piece at the start of a text, and how many bytes of the text it stands for.
struct Piece {
  size_t taken = 0;
  std::string_view literal;  // written instead of the bytes; empty: the bytes themselves
  char escape[6];
  uint8_t escape_size = 0;
  bool is_plain = false;  // may be split anywhere

  std::string_view written(std::string_view text) const {
    if (escape_size) return {escape, escape_size};
    return literal.empty() ? text.substr(0, taken) : literal;
  }
};

Piece plain_piece(std::string_view text) {
  size_t plain = 0;
  while (plain < text.size() && is_plain(text[plain])) ++plain;
  return {.taken = plain, .is_plain = true};
}

Piece hex_piece(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return {.taken = 1, .escape = {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]}, .escape_size = 4};
}

Piece backslash_piece(char c) { return {.taken = 1, .escape = {'\\', c}, .escape_size = 2}; }

Piece next_json(std::string_view text) {
  if (const Piece plain = plain_piece(text); plain.taken) return plain;
  if (const size_t sequence = utf8_length(text)) return {.taken = sequence};
  const char c = text[0];
  if (c == '"' || c == '\\') return backslash_piece(c);
  if (static_cast<unsigned char>(c) >= 0x80) return {.taken = 1, .literal = "\\ufffd"};
  return {.taken = 1, .escape = {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]}, .escape_size = 6};
}

Piece next_escaped(std::string_view text) {
  if (const Piece plain = plain_piece(text); plain.taken) return plain;
  return hex_piece(text[0]);
}

Piece next_quoted(std::string_view text) {
  if (const Piece plain = plain_piece(text); plain.taken) return plain;
  const char c = text[0];
  if (c == '\n') return {.taken = 1, .literal = "\\n"};
  if (c == '"' || c == '\\') return backslash_piece(c);
  if (const size_t sequence = utf8_length(text)) return {.taken = sequence};
  return hex_piece(c);
}

constexpr std::string_view kMark = "...[+";

}  // namespace

template <class Next>
void Line::add_value(std::string_view text, Next next) {
  const size_t share = std::min(limits_.value, limits_.values);
  if (text.size() + kMarkSize <= share && std::ranges::all_of(text, is_plain)) {  // most values
    limits_.values -= text.size();
    return add(text);
  }
  const size_t most = share > kMarkSize ? share - kMarkSize : 0;
  const char* const from = at_;
  const auto size = [&] { return static_cast<size_t>(at_ - from); };
  while (!text.empty() && whole_) {
    const Piece piece = next(text);
    const auto written = piece.written(text);
    if (size() + written.size() > most) {
      const auto part = piece.is_plain ? written.substr(0, most - size()) : std::string_view();
      add(part);
      add(kMark);
      add_number(text.size() - part.size());
      add(']');
      break;
    }
    add(written);
    text.remove_prefix(piece.taken);
  }
  limits_.values -= std::min(limits_.values, size());
}

void Line::add_json(std::string_view text) { add_value(text, next_json); }
void Line::add_escaped(std::string_view text) { add_value(text, next_escaped); }
void Line::add_quoted(std::string_view text) { add_value(text, next_quoted); }

void Line::add_seconds(Duration took) {
  constexpr uint64_t kSecond = 1'000'000;
  const auto count = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  const auto microseconds = static_cast<uint64_t>(count > 0 ? count : 0);
  add_number(microseconds / kSecond);
  char digits[7] = {'.'};
  uint64_t rest = microseconds % kSecond;
  for (size_t i = sizeof digits - 1; i > 0; --i, rest /= 10) digits[i] = static_cast<char>('0' + rest % 10);
  add(std::string_view(digits, sizeof digits));
}

}  // namespace weir
