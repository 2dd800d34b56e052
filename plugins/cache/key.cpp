#include "plugins/cache/key.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/arena_text.h"
#include "base/text.h"
#include "http/query.h"
#include "http/target.h"

namespace weir::plugins {

namespace {

std::string_view lower_case(std::string_view text, Arena& arena) {
  if (std::ranges::none_of(text, [](char c) { return c >= 'A' && c <= 'Z'; })) return text;
  auto* const bytes = static_cast<char*>(arena.bump(text.size(), 1));
  std::ranges::transform(text, bytes, to_lower);
  return {bytes, text.size()};
}

/// What the server's settings say of a path is up to `CacheKey::normal`.
constexpr http::PathPolicy kAnyPath{.encoded_backslash = http::PathPolicy::Encoded::keep};

template <class Visit>
void for_each_parameter(std::string_view query, Visit visit) {
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    if (end > 0) visit(query.substr(0, end));
    query.remove_prefix(std::min(end + 1, query.size()));
  }
}

}  // namespace

std::string_view origin_of(std::string_view scheme, std::string_view authority, Arena& arena) {
  const auto port = http::port_of(authority);
  const std::string_view usual = scheme == "https" ? "443" : "80";
  const auto host = port.empty() || port == usual ? http::host_of(authority) : authority;
  return arena.concat({scheme, "://", lower_case(host, arena)});
}

std::string_view origin_of(Exchange& exchange) {
  return origin_of(exchange.client.scheme(), exchange.request.authority, exchange.arena());
}

std::string_view url_of(Exchange& exchange) {
  const auto& request = exchange.request;
  return exchange.arena().concat(
      {origin_of(exchange), request.path, request.has_query ? "?" : "", request.has_query ? request.query : ""});
}

std::optional<std::string_view> resolve_url(std::string_view reference, std::string_view origin, std::string_view path,
                                            Arena& arena) {
  reference = reference.substr(0, reference.find('#'));
  if (reference.starts_with("//")) reference = arena.concat({origin.substr(0, origin.find('/')), reference});
  if (const auto scheme = reference.find("://"); scheme < reference.find_first_of("/?")) {
    const auto rest = reference.substr(scheme + 3);
    const auto end = std::min(rest.find_first_of("/?"), rest.size());
    const auto other = origin_of(lower_case(reference.substr(0, scheme), arena), rest.substr(0, end), arena);
    if (other != origin) return std::nullopt;
    reference = end == rest.size() ? "/" : rest.substr(end);
    if (reference.starts_with('?')) reference = arena.concat({"/", reference});
  }
  const auto query = std::min(reference.find('?'), reference.size());
  auto there = reference.substr(0, query);
  if (there.empty()) there = path;
  else if (!there.starts_with('/')) there = arena.concat({path.substr(0, path.rfind('/') + 1), there});
  const auto normal = http::normalize_path(there, kAnyPath, arena);
  if (!normal) return std::nullopt;
  return arena.concat({origin, *normal, reference.substr(query)});
}

CacheKey::Text CacheKey::of(Exchange& exchange) const {
  Arena& arena = exchange.arena();
  const auto& request = exchange.request;
  const auto query = query_of({request.has_query, request.query}, arena);
  const auto url = arena.concat({origin_of(exchange), request.path, query.is_there ? "?" : "", query.text});
  auto whole = url;
  if (const auto told = exchange.client.url_told; !told.empty()) whole = arena.concat({url, "\t", told});
  if (!extra_.empty()) whole = arena.concat({whole, "\n", extra_.encode(exchange).text});
  return {whole.substr(0, url.size()), whole};
}

std::optional<std::string_view> CacheKey::normal(std::string_view url, Arena& arena) const {
  const auto host = url.find("://") + 3;
  const auto slash = std::min(url.find_first_of("/?", host), url.size());
  const auto mark = std::min(url.find('?', slash), url.size());
  const auto path = http::normalize_path(slash == mark ? "/" : url.substr(slash, mark - slash), paths_, arena);
  if (!path) return std::nullopt;
  const auto query = query_of({mark < url.size(), url.substr(std::min(mark + 1, url.size()))}, arena);
  return arena.concat({url.substr(0, slash), *path, query.is_there ? "?" : "", query.text});
}

bool CacheKey::is_like(const CacheKey& other) const {
  return query_ == other.query_ && paths_ == other.paths_ && extra_.text() == other.extra_.text();
}

void CacheKey::reduce(http::RequestHead& request) const {
  const auto query = query_of({request.has_query, request.query}, request.headers.arena());
  request.has_query = query.is_there;
  request.query = query.text;
}

bool CacheKey::takes(std::string_view parameter, Arena& arena) const {
  if (parameter.contains(';')) return true;
  const auto name = http::decode_parameter(parameter.substr(0, parameter.find('=')), arena);
  if (!query_.allow.empty()) return std::ranges::find(query_.allow, name) != query_.allow.end();
  return std::ranges::find(query_.deny, name) == query_.deny.end();
}

CacheKey::Query CacheKey::query_of(Query whole, Arena& arena) const {
  if (!whole.is_there || whole.text.empty() || !changes_queries()) return whole;
  const std::string_view query = whole.text;
  struct Part {  // of the query
    uint32_t at;
    uint32_t size;
  };
  thread_local std::vector<Part>
      taken;  // not the arena: two bytes may be a parameter, and a request is read more than once
  taken.clear();
  for_each_parameter(query, [&](std::string_view parameter) {
    if (!takes(parameter, arena)) return;
    taken.push_back({static_cast<uint32_t>(parameter.data() - query.data()), static_cast<uint32_t>(parameter.size())});
  });
  const auto text_of = [&](const Part& part) { return query.substr(part.at, part.size); };
  if (query_.sort) {  // values of one name keep their order
    std::ranges::sort(taken, {}, [&](const Part& part) {
      const auto parameter = text_of(part);
      return std::pair(parameter.substr(0, parameter.find('=')), part.at);
    });
  }
  ArenaText text(arena, query.size());
  for (const Part& part : taken) text << (text.empty() ? "" : "&") << text_of(part);
  return {!text.empty(), text.text()};
}

}  // namespace weir::plugins
