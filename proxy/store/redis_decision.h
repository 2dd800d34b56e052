#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "store/limit.h"

namespace weir::store {

/// So many microseconds as a server has named them: from 0 to `most`, whatever they are.
Duration duration_of(int64_t microseconds, Duration most);

/// The longest that a quota of this limit can take to be whole again, or to give what was asked: less than three
/// centuries, so that sums with a point in time don't overflow. Whatever a server says lies within.
Duration longest_wait(const Limit& limit);

/// What scripts/take.lua has replied; nothing when it is no such text. No number in it is trusted: what remains is at
/// most what there is, and times are at most `longest_wait`.
std::optional<Decision> read_decision(Arena& arena, std::span<const Take> quotas, std::string_view text);

}  // namespace weir::store
