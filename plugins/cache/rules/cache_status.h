#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/arena.h"
#include "base/units.h"
#include "http/headers.h"

namespace weir::plugins {

/// What a cache did with one request, as RFC 9211 has it.
struct CacheStatus {
  enum class Forward : uint8_t { no, bypass, method, uri_miss, vary_miss, miss, request, stale, partial, nowhere };
  Forward forward = Forward::no;  // no: a hit; nowhere: neither that
  std::optional<int64_t> ttl;     // seconds of freshness left; below 0: stale
  std::optional<uint16_t> forward_status;
  bool is_stored = false;
  bool is_collapsed = false;
  std::string_view key;     // "" = isn't told
  std::string_view detail;  // a token: "stale-if-error", "no-store" …; "" = none
};

/// "weir; hit; ttl=12"
std::string_view to_text(const CacheStatus& status, std::string_view name, Arena& arena);
/// Behind what caches nearer to the origin have said (RFC 9211 section 2).
void add_cache_status(http::Headers& response, const CacheStatus& status, std::string_view name);

}  // namespace weir::plugins
