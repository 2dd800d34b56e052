#pragma once

#include <string_view>

namespace weir {

/// The fact by which a filter asks a cache behind it for what is stored and for nothing else: how many seconds past its
/// freshness it may be, in digits. The cache answers, and says so with the fact `kCacheOutcome`, or fails with
/// `not_cached`; it goes no further.
inline constexpr std::string_view kStoredOnly = "stored_only";

}  // namespace weir
