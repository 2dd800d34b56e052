#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "store/limit.h"

namespace weir::store {

/// A server's number of microseconds, clamped to 0 ... `most`.
Duration duration_of(int64_t microseconds, Duration most);

/// The longest time until a quota of this limit is whole again, or admits a refused request: at most two centuries, so
/// that adding a point in time cannot overflow.
Duration longest_wait(const Limit& limit);

/// Decodes a reply of scripts/take.lua, without what a look found; nothing when malformed. Numbers are clamped: the
/// remainder to the quota, times to `longest_wait`.
std::optional<Decision> read_decision(Arena& arena, std::span<const Take> quotas, std::string_view text);

}  // namespace weir::store
