#include "routing/template.h"

#include <algorithm>
#include <array>

#include "base/arena_text.h"
#include "config/suggest.h"
#include "http/target.h"

namespace weir::routing {

namespace {

constexpr std::array<std::string_view, 5> kBlanks = {"scheme", "host", "path", "query", "path_and_query"};

bool is_uri_byte(char c) { return c > ' ' && c < '\x7f'; }

// A path is what begins with '/'; OPTIONS * and CONNECT have none.
std::string_view path_of(const http::RequestHead& request) {
  return request.path.starts_with('/') ? request.path : std::string_view("/");
}

}  // namespace

std::expected<Template, Template::Mistake> Template::parse(std::string_view text) {
  const bool is_address = text.starts_with('/') || text.starts_with("http://") || text.starts_with("https://") ||
                          text.starts_with("{scheme}://");
  if (!is_address) {
    return std::unexpected(Mistake{"'" + std::string(text) + "' is not an address",
                                   "write https, https://example.com{path_and_query} or /path"});
  }
  if (!std::ranges::all_of(text, is_uri_byte)) {
    return std::unexpected(
        Mistake{"'" + std::string(text) + "' has bytes that no URI has", "percent-encode them: %20"});
  }
  Template out;
  out.text_ = text;
  while (!text.empty()) {
    const auto open = text.find('{');
    if (open > 0) out.pieces_.push_back({Source::literal, std::string(text.substr(0, open))});
    if (open == std::string_view::npos) break;
    const auto close = text.find('}', open);
    if (close == std::string_view::npos) return std::unexpected(Mistake{"'{' without '}'", ""});
    const auto name = text.substr(open + 1, close - open - 1);
    const auto found = std::ranges::find(kBlanks, name);
    if (found == kBlanks.end()) {
      const std::vector<std::string> known(kBlanks.begin(), kBlanks.end());
      return std::unexpected(Mistake{"'{" + std::string(name) + "}' is not known",
                                     config::did_you_mean(name, known) + "write one of: " + config::join(known)});
    }
    out.pieces_.push_back({static_cast<Source>(1 + (found - kBlanks.begin())), {}});
    text.remove_prefix(close + 1);
  }
  return out;
}

std::string_view Template::value(const Piece& piece, const http::RequestHead& request, Arena& arena) const {
  switch (piece.source) {
    case Source::literal: return piece.literal;
    case Source::scheme: return request.scheme.empty() ? "http" : request.scheme;
    case Source::host: return http::host_of(request.authority);
    case Source::path: return path_of(request);
    case Source::query: return request.query;
    case Source::path_and_query:
      return request.has_query ? arena.concat({path_of(request), "?", request.query}) : path_of(request);
  }
  return {};
}

Result<std::string_view> Template::expand(const http::RequestHead& request, Arena& arena) const {
  ArenaText expanded(arena);
  for (const auto& piece : pieces_) {
    if (piece.source == Source::host && !http::is_valid_authority(request.authority)) {
      return fail(ErrorCode::bad_request, Side::client, "a redirect needs the request's host");
    }
    expanded << value(piece, request, arena);
  }
  auto out = expanded.text();
  if (!std::ranges::all_of(out, is_uri_byte)) {
    return fail(ErrorCode::bad_request, Side::client, "the request has bytes that no redirect may carry");
  }
  // "//evil.example" would be an address of its own (RFC 3986 section 4.2), and so is "/\" to browsers.
  while (out.size() > 1 && out[0] == '/' && (out[1] == '/' || out[1] == '\\')) out.remove_prefix(1);
  if (out.starts_with('\\')) return fail(ErrorCode::bad_request, Side::client, "a backslash at the start of the path");
  return out;
}

}  // namespace weir::routing
