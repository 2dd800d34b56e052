#pragma once

#include <string_view>

namespace weir {

/// The response field that says what stands in for the answer that was asked for: one of the two below.
inline constexpr std::string_view kDegraded = "weir-degraded";
inline constexpr std::string_view kDegradedStale = "stale";        // a stored response, past its time
inline constexpr std::string_view kDegradedFallback = "fallback";  // another upstream's answer, or a text

}  // namespace weir
