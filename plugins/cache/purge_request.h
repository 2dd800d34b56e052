#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "base/result.h"
#include "plugins/cache/storage/purges.h"

namespace weir::plugins {

/// What a client of the admin API wants to have forgotten, and in which cache.
struct PurgeRequest {
  std::string cache;  // "" = in all of them
  Purge purge;
};

/// From the parameters of a query ("tag=news&soft=true") and a body, which is a JSON object of the same or empty. The
/// Error says, in the arena, what is wrong with them.
Result<PurgeRequest> read_purge_request(std::string_view query, std::string_view body, Arena& arena);

}  // namespace weir::plugins
