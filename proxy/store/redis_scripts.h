#pragma once

#include <string_view>

namespace weir::store {

/// A Lua script that Redis runs as a whole: nothing comes in between. Called by its hash, sent as text only to a
/// server that doesn't know it yet.
struct RedisScript {
  std::string_view sha1;
  std::string_view text;
  std::string_view name;  // for the log
};

/// scripts/*.lua
namespace scripts {
extern const RedisScript take, claim, renew, complete, release, append, put_spare, heartbeat;
}

}  // namespace weir::store
