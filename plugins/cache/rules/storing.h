#pragma once

#include <string_view>

#include "http/message.h"
#include "plugins/cache/rules/directives.h"

namespace weir::plugins {

/// The response to a request with Authorization may be stored (RFC 9111 section 3.5).
bool is_for_all_users(const ResponseDirectives& directives);

/// RFC 9111 section 3, but for the lifetime and what a route says: may a shared cache keep this response to a GET?
/// Why not ("method", "no-store", "private", "authorization", "status", "vary", "partial"); "" when it may. A request
/// for the head alone counts as a GET, since it is what the origin was asked.
std::string_view why_not_stored(const http::RequestHead& request, const http::ResponseHead& response,
                                const ResponseDirectives& directives);

/// Takes out what isn't kept with a stored response: hop-by-hop and proxy fields, what `private="…"` names, Age
/// (RFC 9111 section 3.1).
void strip_for_storage(http::Headers& headers, const ResponseDirectives& directives);

/// Whether a field of a 304 takes the place of the stored one (RFC 9111 section 3.2): all but Content-Length,
/// Content-Encoding, Content-Type, Content-Range, ETag and those that aren't stored.
bool is_updated_by_304(const http::Header& header);

}  // namespace weir::plugins
