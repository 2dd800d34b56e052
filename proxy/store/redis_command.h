#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/arena.h"

namespace weir::store {

/// A command as Redis reads it (RESP2: an array of bulk strings), in an arena.
std::string_view redis_command(Arena& arena, std::span<const std::string_view> words);
inline std::string_view redis_command(Arena& arena, std::initializer_list<std::string_view> words) {
  return redis_command(arena, std::span(words.begin(), words.size()));
}

/// A number as a word of a command.
std::string_view redis_number(Arena& arena, int64_t number);

}  // namespace weir::store
