#include "routing/rewrite.h"

#include <algorithm>
#include <array>

#include "base/arena_text.h"
#include "http/syntax.h"

namespace weir::routing {

namespace {

bool is_path(std::string_view text) {
  return text.starts_with('/') &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f' && c != '?' && c != '#'; });
}

}  // namespace

Rewrite::Rewrite(const RewriteSettings& settings, PathPattern matched)
    : matched_(std::move(matched)), prefix_(settings.prefix), to_(settings.to.value_or("")), host_(settings.host) {
  if (settings.regex) regex_ = *Regex::compile(*settings.regex);
}

Result<std::string_view> Rewrite::path(std::string_view path, Arena& arena) const {
  if (!path.starts_with('/')) return path;  // OPTIONS * and CONNECT
  const auto out = prefix_ ? with_prefix(path, arena) : regex_ ? substituted(path, arena) : path;
  if (is_path(out)) return out;
  return fail(
      ErrorCode::internal, Side::self,
      arena.concat({"the route's rewrite made '", out, "', which is no path: it begins with '/', without ? and #"}));
}

std::string_view Rewrite::with_prefix(std::string_view path, Arena& arena) const {
  if (!is_below(path, matched_.text)) return path;  // a filter has changed it
  const auto rest = path.substr(matched_.text.size());
  std::string_view prefix = *prefix_;
  if (rest.empty()) return prefix;
  if (prefix.ends_with('/')) prefix.remove_suffix(1);
  return arena.concat({prefix, rest});
}

std::string_view Rewrite::substituted(std::string_view path, Arena& arena) const {
  std::array<std::string_view, Regex::kMostGroups + 1> groups;
  if (!regex_->match(path, groups)) return path;
  ArenaText out(arena);
  std::string_view to = to_;
  while (!to.empty()) {
    const auto backslash = to.find('\\');
    out << to.substr(0, backslash);
    if (backslash == std::string_view::npos || backslash + 1 == to.size()) break;
    const char next = to[backslash + 1];
    out << (http::is_digit(next) ? groups[next - '0'] : to.substr(backslash + 1, 1));
    to.remove_prefix(backslash + 2);
  }
  return out.text();
}

Task<> Rewritten::handle(Exchange& exchange) const {
  auto& request = exchange.request;
  const auto path = request.path;
  const auto authority = request.authority;
  const auto host = request.headers.get(http::Field::host);
  const auto rewritten = rewrite_.path(path, exchange.arena());
  if (!rewritten) co_return exchange.fail(rewritten.error());
  request.path = *rewritten;
  if (rewrite_.host()) {
    request.authority = *rewrite_.host();
    request.headers.set("host", *rewrite_.host());
  }
  co_await origin_->handle(exchange);
  request.path = path;
  if (!rewrite_.host()) co_return;
  request.authority = authority;
  if (host) {
    request.headers.set("host", *host);
  } else {
    request.headers.remove(http::Field::host);
  }
}

}  // namespace weir::routing
