#include "store/redis_keys.h"

#include <algorithm>
#include <array>

namespace weir::store {

namespace {

constexpr auto kIsSpecial = [] {
  std::array<bool, 256> is_special{};
  for (const unsigned char c : std::string_view("{}:%")) is_special[c] = true;
  return is_special;
}();
bool is_special(char c) { return kIsSpecial[static_cast<unsigned char>(c)]; }

}  // namespace

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

QuotaKeys::QuotaKeys(std::string_view prefix, const Limit& limit) {
  BlockPool blocks(4096);
  Arena arena(blocks);
  const auto name = escaped(arena, limit.name);
  if (limit.slot.empty()) {
    before = arena.concat({prefix, "q:{"});
    after = arena.concat({"}:", name});
  } else {
    before = arena.concat({prefix, "q:{", escaped(arena, limit.slot), "}:", name, ":"});
  }
}

std::string_view plain_key(Arena& arena, std::string_view prefix, std::string_view kind, std::string_view name) {
  return arena.concat({prefix, kind, ":", escaped(arena, name)});
}

}  // namespace weir::store
