#pragma once

#include <string>
#include <string_view>

#include "base/arena.h"
#include "store/limit.h"

namespace weir::store {

// Names of what is kept, as Redis keys. Whatever a client may have chosen has its braces, colons and percent signs
// escaped, so that no value leaves its place and none decides on the slot of another.

/// Itself when there is nothing to escape, else in `arena`. Never empty: an empty hash tag is no tag.
std::string_view escaped(Arena& arena, std::string_view text);

/// What stands around the (escaped) value in a limit's keys: `PREFIX q:{VALUE}:LIMIT`, or `PREFIX q:{SLOT}:LIMIT:VALUE`
/// when limits with other keys are taken with it, so that all keys of one take are in one slot of a Cluster.
struct QuotaKeys {
  QuotaKeys(std::string_view prefix, const Limit& limit);
  std::string before;
  std::string after;
};

/// `PREFIX KIND:NAME`; kinds: c for claims, v for values, l for logs.
std::string_view plain_key(Arena& arena, std::string_view prefix, std::string_view kind, std::string_view name);

/// Before the names of channels.
inline std::string channel_prefix(std::string_view prefix) { return std::string(prefix) + "m:"; }

}  // namespace weir::store
