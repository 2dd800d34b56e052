#include "plugins/cache/rules/storing.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "http/hop_by_hop.h"
#include "plugins/cache/rules/named_fields.h"

namespace weir::plugins {

namespace {

// Whose rules of caching are kept here (RFC 9111 section 5.2.2.3), sorted: the final ones of RFC 9110 section 15 but
// for 206 and 304.
constexpr auto kUnderstood = std::to_array<uint16_t>(
    {200, 201, 202, 203, 204, 205, 300, 301, 302, 303, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406,
     407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 426, 500, 501, 502, 503, 504, 505});
// RFC 6585: they "MUST NOT be stored by a cache".
constexpr auto kNeverStored = std::to_array<uint16_t>({428, 429, 431, 511});

bool is_storable(uint16_t status) {
  return status >= 200 && status != 304 && !std::ranges::binary_search(kNeverStored, status);
}

bool is_understood(uint16_t status) { return std::ranges::binary_search(kUnderstood, status); }

bool varies_by_everything(const http::Headers& headers) {
  return std::ranges::any_of(headers, [](const http::Header& header) {
    return header.field == http::Field::vary && list_has(header.value, "*");
  });
}

/// What is left of the quota of the client that asked.
bool is_of_one_client(const http::Header& header) {
  return equals_lower(header.name, "ratelimit") || equals_lower(header.name, "ratelimit-policy") ||
         equals_lower(header.name.substr(0, 12), "x-ratelimit-");
}

/// RFC 9111 section 3.1. `Trailer` announces fields that aren't stored.
bool is_never_stored(const http::Header& header) {
  if (http::is_connection_specific(header.field)) return true;
  switch (header.field) {
    case http::Field::age:
    case http::Field::proxy_authenticate:
    case http::Field::proxy_authorization:
    case http::Field::te:
    case http::Field::trailer: return true;
    default: return equals_lower(header.name, "proxy-authentication-info") || is_of_one_client(header);
  }
}

}  // namespace

bool is_for_all_users(const ResponseDirectives& directives) {
  return directives.is_public || directives.must_revalidate || directives.s_maxage;
}

std::string_view why_not_stored(const http::RequestHead& request, const http::ResponseHead& response,
                                const ResponseDirectives& directives) {
  if (request.method != http::Method::get && request.method != http::Method::head) return "method";
  if (response.status == 206) return "partial";
  if (!is_storable(response.status)) return "status";
  if (directives.must_understand && !is_understood(response.status)) return "status";
  if (directives.no_store && !directives.must_understand) return "no-store";
  if (directives.is_private) return "private";
  if (request.headers.has(http::Field::authorization) && !is_for_all_users(directives)) return "authorization";
  return varies_by_everything(response.headers) ? "vary" : "";
}

void strip_for_storage(http::Headers& headers, const ResponseDirectives& directives) {
  http::remove_hop_by_hop(headers);
  const NamedFields of_one_client(directives.private_fields, headers, headers.arena());
  headers.remove_if(
      [&](const http::Header& header) { return is_never_stored(header) || of_one_client.has(header.name); });
}

bool is_updated_by_304(const http::Header& header) {
  switch (header.field) {
    case http::Field::content_encoding:
    case http::Field::content_length:
    case http::Field::content_type:
    case http::Field::etag: return false;
    default: return !is_never_stored(header) && !equals_lower(header.name, "content-range");
  }
}

}  // namespace weir::plugins
