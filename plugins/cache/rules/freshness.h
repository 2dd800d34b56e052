#pragma once

#include <cstdint>
#include <optional>

#include "base/units.h"
#include "http/date.h"
#include "http/message.h"
#include "plugins/cache/rules/directives.h"

namespace weir::plugins {

/// How old a response was when it came (RFC 9111 section 4.2.3): `took` from the request to the response's head.
Duration initial_age(const http::Headers& headers, http::DateTime received, Duration took);

/// How long a response is fresh from its birth on, for a shared cache (RFC 9111 section 4.2.1), by what it says itself:
/// s-maxage, max-age, Expires. Nothing when it doesn't say.
std::optional<Duration> stated_lifetime(const http::Headers& headers, const ResponseDirectives& directives,
                                        http::DateTime received);

/// RFC 9111 section 4.2.2: a share of how long it had been unchanged, at most `most`. Nothing without Last-Modified,
/// and for a status that isn't cacheable by heuristics (RFC 9110 section 15.1) unless the response is `public`.
std::optional<Duration> heuristic_lifetime(uint16_t status, const http::Headers& headers,
                                           const ResponseDirectives& directives, http::DateTime received, double share,
                                           Duration most);

/// RFC 9110 section 15.1.
bool is_heuristically_cacheable(uint16_t status);

}  // namespace weir::plugins
