#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/text.h"

namespace weir::plugins {

/// What stands for every larger number of seconds.
inline constexpr uint32_t kMostSeconds = uint32_t{1} << 31;

/// delta-seconds, RFC 9111 section 1.2.2. Nothing for anything but digits.
inline std::optional<uint32_t> parse_delta_seconds(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  return static_cast<uint32_t>(std::min<uint64_t>(parse_decimal(text).value_or(kMostSeconds), kMostSeconds));
}

}  // namespace weir::plugins
