#pragma once

#include <string_view>

#include "base/arena.h"
#include "base/result.h"
#include "http/message.h"

namespace weir::http {

/// Splits the request-target (RFC 9112 section 3.2: origin, absolute, authority or asterisk form) into scheme,
/// authority, path and query of `head`. Refuses CTL, space, 8-bit, '#', userinfo, a form that the method doesn't
/// allow, and an authority that isn't host[:port] (RFC 3986 section 3.2.2; port 0-65535 or empty).
Result<> split_target(std::string_view target, RequestHead& head);

/// host[:port] of the Host field or an authority: syntax only.
bool is_valid_authority(std::string_view authority);
/// "example.com:8080" -> "example.com"; "[::1]:80" -> "[::1]".
std::string_view host_of(std::string_view authority);
std::string_view port_of(std::string_view authority);

/// What happens to bytes of a path that different servers read differently.
struct PathPolicy {
  enum class Encoded : uint8_t { keep, reject, decode };
  Encoded encoded_slash = Encoded::keep;        // %2F
  Encoded encoded_backslash = Encoded::reject;  // %5C; a bare '\' follows it
  bool merge_slashes = false;                   // "//" -> "/"
  enum class Match : uint8_t { decoded, sent };
  Match match = Match::decoded;  // the form that routes and keys go by: DecodedPath, or the path that is sent
  bool operator==(const PathPolicy&) const = default;
};

/// The one normal form of a path, by RFC 3986 section 6.2.2: unreserved characters decoded, other escapes in upper
/// case, dot segments resolved (escaped dots too); above the root, %00 and broken escapes are refused. The bytes
/// returned are the ones to send. Returns `path` itself when nothing changes (the common case, no copy).
Result<std::string_view> normalize_path(std::string_view path, const PathPolicy& policy, Arena& arena);

/// Without the slashes and backslashes that follow the first slash: some servers take "//x/admin" for "/admin" of the
/// host "x".
std::string_view with_one_slash(std::string_view path, Arena& arena);

/// Puts the path of `head` into its normal form, with one slash at the front, and sets `decoded_path` when routes match
/// another form of it.
Result<> normalize_path(RequestHead& head, const PathPolicy& policy);

}  // namespace weir::http
