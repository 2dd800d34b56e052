#include "routing/rewrite.h"

#include <algorithm>

#include "base/arena_text.h"
#include "http/decoded_path.h"
#include "http/syntax.h"
#include "http/target.h"

namespace weir::routing {

namespace {

bool is_path(std::string_view text) {
  return text.starts_with('/') &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f' && c != '?' && c != '#'; });
}

using Groups = Rewrite::Groups;

enum class Place : uint8_t { path, query };

/// In a query, '&' and ';' end a parameter and '+' is a blank: from a path, they are plain characters.
void put(ArenaText& out, std::string_view text, Place place) {
  while (place == Place::query) {
    const auto at = text.find_first_of("&;+");
    if (at == std::string_view::npos) break;
    const std::string_view escape = text[at] == '&' ? "%26" : text[at] == ';' ? "%3B" : "%2B";
    out << text.substr(0, at) << escape;
    text.remove_prefix(at + 1);
  }
  out << text;
}

std::string_view filled_in(std::string_view to, const Groups& groups, Place place, Arena& arena) {
  ArenaText out(arena);
  while (!to.empty()) {
    const auto backslash = to.find('\\');
    out << to.substr(0, backslash);
    if (backslash == std::string_view::npos || backslash + 1 == to.size()) break;
    const char next = to[backslash + 1];
    if (http::is_digit(next)) put(out, groups[static_cast<size_t>(next - '0')], place);
    else out << to.substr(backslash + 1, 1);
    to.remove_prefix(backslash + 2);
  }
  return out.text();
}

}  // namespace

Rewrite::Rewrite(const RewriteSettings& settings, PathPattern matched)
    : matched_(std::move(matched)), prefix_(settings.prefix), to_(settings.to.value_or("")), host_(settings.host) {
  if (settings.regex) regex_ = *Regex::compile(*settings.regex);
  const auto question = to_.find('?');
  if (question == std::string::npos) return;
  to_query_ = to_.substr(question + 1);
  to_.resize(question);
}

Result<Rewrite::Target> Rewrite::apply(const Target& old, Arena& arena) const {
  if (!old.path.starts_with('/')) return old;  // OPTIONS * and CONNECT
  auto out = old;
  if (prefix_) out.path = with_prefix(old, arena);
  else if (regex_) out = substituted(old, arena);
  if (out.path != old.path) out.decoded_path = {};
  out.path = http::with_one_slash(out.path, arena);
  if (is_path(out.path)) return out;
  return fail(ErrorCode::internal, Side::self,
              arena.concat({"the route's rewrite made '", out.path, "' of '", old.path,
                            "', which is no path: it begins with '/', without #"}));
}

std::string_view Rewrite::with_prefix(const Target& old, Arena& arena) const {
  const auto path = old.path;
  size_t size = matched_.text.size();
  if (!old.decoded_path.empty()) {
    const auto found = http::size_of_prefix(path, matched_.text, arena);
    if (!found) return path;  // a filter has changed it
    size = *found;
  } else if (!is_below(path, matched_.text)) {
    return path;
  }
  const auto rest = path.substr(size);
  std::string_view prefix = *prefix_;
  if (rest.empty()) return prefix;
  if (prefix.ends_with('/')) prefix.remove_suffix(1);
  return arena.concat({prefix, "/", rest.substr(http::size_of_slash(rest))});
}

/// The expression is for the path that is sent; it is tried on the decoded path when it doesn't match that, or when a
/// group might take dot segments along.
bool Rewrite::match(const Target& old, Groups& groups, Arena& arena) const {
  if (old.decoded_path.empty()) return regex_->match(old.path, groups);
  const auto decoded = http::decode_path(old.path, arena);
  const bool has_hidden_dots = !decoded || decoded->has_hidden_dots;
  return (!has_hidden_dots && regex_->match(old.path, groups)) || regex_->match(old.decoded_path, groups);
}

Rewrite::Target Rewrite::substituted(const Target& old, Arena& arena) const {
  Groups groups;
  if (!match(old, groups, arena)) return old;
  auto out = old;
  out.path = filled_in(to_, groups, Place::path, arena);
  if (!to_query_) return out;
  out.query = filled_in(*to_query_, groups, Place::query, arena);
  out.has_query = !out.query.empty();
  if (out.has_query && !old.query.empty()) out.query = arena.concat({out.query, "&", old.query});
  return out;
}

static void put_target(http::RequestHead& request, const Rewrite::Target& target) {
  request.path = target.path;
  request.query = target.query;
  request.has_query = target.has_query;
  request.decoded_path = target.decoded_path;
}

Task<> Rewritten::handle(Exchange& exchange) const {
  auto& request = exchange.request;
  const Rewrite::Target old{request.path, request.query, request.has_query, request.decoded_path};
  const auto authority = request.authority;
  const auto host = request.headers.get(http::Field::host);
  const auto rewritten = rewrite_.apply(old, exchange.arena());
  if (!rewritten) co_return exchange.fail(rewritten.error());
  put_target(request, *rewritten);
  if (rewrite_.host()) {
    request.authority = *rewrite_.host();
    request.headers.set("host", *rewrite_.host());
  }
  co_await origin_->handle(exchange);
  put_target(request, old);
  if (!rewrite_.host()) co_return;
  request.authority = authority;
  if (host) {
    request.headers.set("host", *host);
  } else {
    request.headers.remove(http::Field::host);
  }
}

}  // namespace weir::routing
