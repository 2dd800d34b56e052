#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "exchange/client_networks.h"
#include "exchange/key_expression.h"

namespace weir::plugins {

/// Which parameters of a query are in the key.
struct QueryKeySettings {
  std::vector<std::string> allow;  // these alone
  std::vector<std::string> deny;   // all but these
  bool sort = false;               // their order doesn't matter
  bool operator==(const QueryKeySettings&) const = default;
};

struct VarySettings {
  uint32_t max_fields = 8;
  uint32_t max_variants = 64;
};

struct StaleSettings {
  Duration while_revalidate{};
  Duration if_error{};
};

struct CollapseSettings {
  bool is_on = true;
  Duration wait = std::chrono::seconds(5);
};

struct EarlyRefreshSettings {
  double beta = 0;
};

struct CacheStatusSettings {
  std::string name = "weir";
  bool key = false;
};

struct SharedSettings {
  config::Located<bool> is_on{false};
  Bytes max_object{512 * 1024};
};

enum class RequestWord : uint8_t { no_cache, no_store, max_age, min_fresh, max_stale, only_if_cached };
enum class CachedMethod : uint8_t { get, head };

struct CacheSettings {
  config::Located<std::string> name;
  Bytes max_size{256 * 1024 * 1024};
  config::Located<Bytes> max_object{Bytes{8 * 1024 * 1024}};
  std::optional<Duration> ttl;
  std::vector<config::Named<Duration>> ttl_by_status;
  Ratio heuristic{0.1};
  Duration heuristic_max = std::chrono::hours(24);
  KeyExpression key;
  QueryKeySettings query;
  std::vector<CachedMethod> methods{CachedMethod::get, CachedMethod::head};
  std::vector<KeyExpression> bypass;
  std::vector<KeyExpression> no_store;
  VarySettings vary;
  std::vector<RequestWord> respect_request_directives{RequestWord::no_cache,  RequestWord::no_store,
                                                      RequestWord::max_age,   RequestWord::min_fresh,
                                                      RequestWord::max_stale, RequestWord::only_if_cached};
  StaleSettings serve_stale;
  CollapseSettings collapse;
  Duration uncacheable_ttl = std::chrono::seconds(120);
  EarlyRefreshSettings early_refresh;
  std::vector<std::string> targeted{"weir-cache-control", "cdn-cache-control"};
  std::vector<std::string> tags{"surrogate-key", "cache-tag"};
  // What some upstreams take for the URL, the host or the method, and what is in no key.
  std::vector<std::string> withhold{
      "x-original-url",     "x-original-host",    "x-original-uri",       "x-rewrite-url",    "x-host",
      "x-http-method",      "x-method-override",  "x-forwarded-prefix",   "x-forwarded-path", "x-http-method-override",
      "x-forwarded-scheme", "x-forwarded-server", "x-http-host-override", "x-forwarded-ssl",  "x-forwarded-protocol",
      "x-url-scheme",       "front-end-https",    "x-forwarded-uri"};
  bool set_cookie = false;
  CacheStatusSettings cache_status;
  std::vector<config::Located<std::string>> purge_from;
  SharedSettings shared;
};
void decode(config::Reader& r, CacheSettings& settings);

}  // namespace weir::plugins
