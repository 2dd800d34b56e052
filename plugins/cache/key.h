#pragma once

#include <optional>
#include <string_view>

#include "exchange/exchange.h"
#include "http/target.h"
#include "plugins/cache/settings.h"

namespace weir::plugins {

/// Under what a response is kept: the URL in its normal form, with the route's choice of the query, and behind it what
/// trusted proxies say else of it and the value of the route's key expression. What isn't in it can't tell two requests
/// apart (RFC 9111 section 2). A parameter with a ';' is always in it, since some servers find a second one there.
class CacheKey {
 public:
  CacheKey(const CacheSettings& settings, const http::PathPolicy& paths)
      : query_(settings.query), extra_(settings.key), paths_(paths) {}

  struct Text {
    std::string_view url;  // the beginning of `whole`
    std::string_view whole;
    bool is_url() const { return whole.size() == url.size(); }
  };
  /// In the exchange's arena.
  Text of(Exchange& exchange) const;

  /// The form that `of` gives to an absolute URL ("https://example.com/a//b?y=2&x=1"). In the arena; nothing when no
  /// request may have its path.
  std::optional<std::string_view> normal(std::string_view url, Arena& arena) const;
  /// Takes out of a request whose response is stored what its key doesn't have: the query is the key's.
  void reduce(http::RequestHead& request) const;
  /// Makes the same keys.
  bool is_like(const CacheKey& other) const;
  /// The query of a URL and the query of its key may differ.
  bool changes_queries() const { return !query_.allow.empty() || !query_.deny.empty() || query_.sort; }

 private:
  struct Query {
    bool is_there = false;
    std::string_view text;
  };
  Query query_of(Query whole, Arena& arena) const;
  bool takes(std::string_view parameter, Arena& arena) const;

  const QueryKeySettings query_;
  const KeyExpression extra_;
  const http::PathPolicy paths_;
};

/// "https://example.com/a?b": the URL that a request asks for, whole. In its arena.
std::string_view url_of(Exchange& exchange);

/// "https://example.com", where a request goes: in lower case, without the scheme's own port. In the arena.
std::string_view origin_of(std::string_view scheme, std::string_view authority, Arena& arena);
/// The same of a request. The scheme is the connection's or a trusted proxy's word, whatever the request claims.
std::string_view origin_of(Exchange& exchange);

/// What a reference in a response for `path` of `origin` means (RFC 3986 section 5), without its fragment and with its
/// whole query; nothing when it leads to another origin.
std::optional<std::string_view> resolve_url(std::string_view reference, std::string_view origin, std::string_view path,
                                            Arena& arena);

}  // namespace weir::plugins
