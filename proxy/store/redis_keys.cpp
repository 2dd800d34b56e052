#include "store/redis_keys.h"

#include <algorithm>

namespace weir::store {

namespace {

bool is_special(char c) { return c == '{' || c == '}' || c == ':' || c == '%'; }

/// Itself when there is nothing to escape. Never empty: an empty hash tag is no tag.
std::string_view escaped(Arena& arena, std::string_view text) {
  if (text.empty()) return "%";
  const auto special = static_cast<size_t>(std::ranges::count_if(text, is_special));
  if (special == 0) return text;
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  auto* const begin = static_cast<char*>(arena.bump(text.size() + 2 * special, 1));
  char* at = begin;
  for (const char c : text) {
    if (!is_special(c)) {
      *at++ = c;
      continue;
    }
    *at++ = '%';
    *at++ = kDigits[static_cast<unsigned char>(c) >> 4];
    *at++ = kDigits[static_cast<unsigned char>(c) & 15];
  }
  return {begin, at};
}

}  // namespace

std::string_view quota_key(Arena& arena, std::string_view prefix, const Limit& limit, std::string_view key) {
  const auto value = escaped(arena, key);
  const auto name = escaped(arena, limit.name);
  if (limit.slot.empty()) return arena.concat({prefix, "q:{", value, "}:", name});
  return arena.concat({prefix, "q:{", escaped(arena, limit.slot), "}:", name, ":", value});
}

std::string_view plain_key(Arena& arena, std::string_view prefix, std::string_view kind, std::string_view name) {
  return arena.concat({prefix, kind, ":", escaped(arena, name)});
}

}  // namespace weir::store
