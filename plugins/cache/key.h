#pragma once

#include <string_view>

#include "exchange/exchange.h"
#include "plugins/cache/settings.h"

namespace weir::plugins {

/// Under what a response is kept: the URL in its normal form, with the route's choice of the query, and behind it what
/// trusted proxies say else of it and the value of the route's key expression. What isn't in it can't tell two requests
/// apart (RFC 9111 section 2).
class CacheKey {
 public:
  explicit CacheKey(const CacheSettings& settings) : query_(settings.query), extra_(settings.key) {}

  struct Text {
    std::string_view url;  // the beginning of `whole`
    std::string_view whole;
    bool is_url() const { return whole.size() == url.size(); }
  };
  /// In the exchange's arena.
  Text of(Exchange& exchange) const;

 private:
  std::string_view query_of(const http::RequestHead& request, Arena& arena) const;
  bool takes(std::string_view parameter, Arena& arena) const;

  const QueryKeySettings query_;
  const KeyExpression extra_;
};

/// "https://example.com", where a request goes: in lower case, without the scheme's own port. In the arena.
std::string_view origin_of(std::string_view scheme, std::string_view authority, Arena& arena);
/// The same of a request. The scheme is the connection's or a trusted proxy's word, whatever the request claims.
std::string_view origin_of(Exchange& exchange);

/// What a reference in a response for `path` of `origin` means (RFC 3986 section 5), without its fragment, as a key has
/// it; nothing when it leads to another origin.
std::optional<std::string_view> resolve_url(std::string_view reference, std::string_view origin, std::string_view path,
                                            Arena& arena);

}  // namespace weir::plugins
