#include "plugins/cache/url.h"

#include "http/target.h"
#include "plugins/cache/key.h"

namespace weir::plugins {

namespace {

/// Which of these is refused is up to the server's settings, for requests.
constexpr http::PathPolicy kPaths{.encoded_backslash = http::PathPolicy::Encoded::keep};

bool split(std::string_view text, http::RequestHead& head) {
  return http::split_target(text, head) && !head.scheme.empty();
}

std::string_view join(const http::RequestHead& head, std::string_view path, Arena& arena) {
  return arena.concat({origin_of(head.scheme, head.authority, arena), path, head.has_query ? "?" : "", head.query});
}

}  // namespace

std::optional<std::string_view> url_of(std::string_view text, Arena& arena) {
  http::RequestHead head(arena);
  if (!split(text, head)) return std::nullopt;
  const auto path = http::normalize_path(head.path, kPaths, arena);
  if (!path) return std::nullopt;
  return join(head, *path, arena);
}

std::optional<std::string_view> url_prefix_of(std::string_view text, Arena& arena) {
  http::RequestHead head(arena);
  if (!split(text, head)) return std::nullopt;
  return join(head, head.path, arena);
}

}  // namespace weir::plugins
