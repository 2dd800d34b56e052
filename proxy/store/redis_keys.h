#pragma once

#include <string>
#include <string_view>

#include "base/arena.h"
#include "store/limit.h"

namespace weir::store {

// Names of what is kept, as Redis keys. Whatever a client may have chosen has its braces, colons and percent signs
// escaped, so that no value leaves its place and none decides on the slot of another.

/// `PREFIX q:{VALUE}:LIMIT`, or `PREFIX q:{SLOT}:LIMIT:VALUE` when limits with other keys are taken with it: all
/// keys of one take are in one slot of a Cluster.
std::string_view quota_key(Arena& arena, std::string_view prefix, const Limit& limit, std::string_view key);

/// `PREFIX KIND:NAME`; kinds: c for claims, v for values, l for logs.
std::string_view plain_key(Arena& arena, std::string_view prefix, std::string_view kind, std::string_view name);

/// Before the names of channels.
inline std::string channel_prefix(std::string_view prefix) { return std::string(prefix) + "m:"; }

}  // namespace weir::store
