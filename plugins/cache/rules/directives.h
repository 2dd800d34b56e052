#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/headers.h"

namespace weir::plugins {

/// What a response says of its storage: its Cache-Control (RFC 9111 section 5.2.2), or what a targeted field says in
/// its place (RFC 9213). Pragma means nothing in a response. Of a directive that comes twice the more restrictive
/// counts; one that is malformed counts as its most restrictive form. In a targeted field the last counts, and one of a
/// wrong type is as good as absent. Views of the head.
struct ResponseDirectives {
  bool no_store = false;
  bool no_cache = false;    // without names of fields
  bool is_private = false;  // without names of fields
  bool is_public = false;
  bool must_revalidate = false;
  bool proxy_revalidate = false;
  bool must_understand = false;
  bool no_transform = false;
  bool immutable = false;                          // RFC 8246
  bool is_targeted = false;                        // Expires counts for nothing then
  std::optional<uint32_t> max_age;                 // seconds; 2^31 for what is larger; 0 for what is malformed
  std::optional<uint32_t> s_maxage;                // 0 for what is malformed
  std::optional<uint32_t> stale_while_revalidate;  // RFC 5861
  std::optional<uint32_t> stale_if_error;
  std::string_view no_cache_fields;  // of no-cache="a, b": the list between the quotes; or treat it as no_cache
  std::string_view private_fields;   // of private="a, b"
};
/// `targets`: names of the targeted fields to look for, the first valid one counts.
ResponseDirectives response_directives(const http::Headers& headers, std::span<const std::string> targets);

/// RFC 9111 section 5.2.1; `Pragma: no-cache` where there is no Cache-Control. Malformed ones are left out; of a
/// directive that comes twice the more demanding counts.
struct RequestDirectives {
  bool no_cache = false;
  bool no_store = false;
  bool only_if_cached = false;
  bool no_transform = false;
  std::optional<uint32_t> max_age;
  std::optional<uint32_t> min_fresh;
  std::optional<uint32_t> max_stale;  // 2^31: any age
  std::optional<uint32_t> stale_if_error;
};
RequestDirectives request_directives(const http::Headers& headers);

/// Whether a list of field names ("a, b", as in no-cache="a, b") has this one, in any case.
bool list_has(std::string_view list, std::string_view name);

}  // namespace weir::plugins
