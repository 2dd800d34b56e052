// Whether requests can have the paths that routes are for, in the form that routes match.

#include "http/decoded_path.h"
#include "http/syntax.h"
#include "http/target.h"
#include "routing/config.h"

namespace weir::routing {

namespace {

constexpr std::string_view kSentHint = ", or path: { match: sent } to match paths as they are sent";

void check_path(const PathPattern& pattern, const config::Location& at, config::Problems& problems) {
  const bool ends_with_slashes = pattern.kind == PathPattern::Kind::prefix && pattern.text.ends_with('/');
  const std::string path = pattern.text + (ends_with_slashes ? "/" : "");
  BlockPool pool(8192);
  Arena arena(pool);
  const auto normal = http::normalize_path(path, {.encoded_backslash = http::PathPolicy::Encoded::keep}, arena);
  if (!normal || *normal != path) return;  // told when it was decoded
  const auto decoded = http::decode_path(path, arena);
  if (!decoded) return problems.add(at, "'" + path + "' matches no path: " + std::string(decoded.error().detail));
  if (decoded->text == path) return;
  problems.add(at, "'" + path + "' matches no path: routes match the decoded path",
               "write " + std::string(decoded->text) + std::string(kSentHint));
}

/// What a text that matches `pattern` has at `at`, and no decoded path: "//", ";", or an escape that is decoded.
std::string_view undecoded_at(std::string_view pattern, size_t at, Arena& arena) {
  const auto rest = pattern.substr(at);
  if (rest.starts_with(';')) {
    const auto before = pattern.substr(0, at);
    const auto open = before.rfind('[');
    const bool is_in_class = open != std::string_view::npos && !before.substr(open).contains(']');
    const char next = rest.size() > 1 ? rest[1] : '\0';
    return is_in_class || next == '?' || next == '*' || next == '{' ? std::string_view() : rest.substr(0, 1);
  }
  if (rest.starts_with("//")) {
    const char next = rest.size() > 2 ? rest[2] : '\0';
    return next == '?' || next == '*' || next == '{' ? std::string_view() : rest.substr(0, 2);
  }
  if (http::escaped_byte(rest) < 0) return {};
  const auto path = arena.concat({"/x", rest.substr(0, 3), "x"});
  const auto decoded = http::decode_path(path, arena);
  return decoded && decoded->text.size() < path.size() ? rest.substr(0, 3) : std::string_view();
}

void check_expression(const PathPattern& pattern, const config::Location& at, config::Problems& problems) {
  BlockPool pool(8192);
  Arena arena(pool);
  for (size_t i = 0; i < pattern.text.size(); ++i) {
    const auto found = undecoded_at(pattern.text, i, arena);
    if (found.empty()) continue;
    const auto* const hint = found == "//"  ? "write /: runs of slashes are merged"
                             : found == ";" ? "leave it out: parameters of segments are cut"
                                            : "write the byte itself: it is decoded, %2F to /";
    return problems.warn(at,
                         "'" + pattern.text + "' has " + std::string(found) + ", which no path has that routes match",
                         hint + std::string(kSentHint));
  }
}

}  // namespace

void check_paths(const std::vector<RouteSettings>& routes, http::PathPolicy::Match match, config::Problems& problems) {
  if (match == http::PathPolicy::Match::sent) return;
  for (const auto& route : routes) {
    const auto& pattern = route.match.path;
    if (pattern.is_any()) continue;
    if (pattern.kind == PathPattern::Kind::regex) check_expression(pattern, route.match.path_at, problems);
    else check_path(pattern, route.match.path_at, problems);
  }
}

}  // namespace weir::routing
