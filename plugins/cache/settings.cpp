#include "plugins/cache/settings.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "http/syntax.h"

namespace weir::plugins {

static constexpr auto choices(RequestWord*) {
  using enum RequestWord;
  return std::array<config::Choice<RequestWord>, 6>{{{"no_cache", no_cache},
                                                     {"no_store", no_store},
                                                     {"max_age", max_age},
                                                     {"min_fresh", min_fresh},
                                                     {"max_stale", max_stale},
                                                     {"only_if_cached", only_if_cached}}};
}

static constexpr auto choices(CachedMethod*) {
  return std::array<config::Choice<CachedMethod>, 2>{{{"GET", CachedMethod::get}, {"HEAD", CachedMethod::head}}};
}

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr Duration kLongest = hours(24 * 365);
constexpr uint64_t kShareOfSize = 4;  // the largest object, as a part of the whole

void check_name(config::Reader& r, const config::Located<std::string>& name) {
  const auto is_fine = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-' || c == '.'; };
  if (std::ranges::all_of(*name, is_fine)) return;
  r.problem_at("name", "'" + *name + "' is not a name for a cache", "letters, digits, '_', '-' and '.'");
}

void check_statuses(config::Problems& problems, const std::vector<config::Named<Duration>>& statuses) {
  for (const auto& entry : statuses) {
    const auto status = parse_decimal(entry.name);
    if (status && *status >= 200 && *status <= 599 && *status != 206 && *status != 304) continue;
    problems.add(entry.at, "'" + entry.name + "' is not a status that is kept",
                 "write one as in 404: 10s; never 206 or 304");
  }
}

void check_fields(config::Reader& r, std::string_view key, const std::vector<std::string>& names) {
  for (const auto& name : names) {
    if (!http::is_token(name)) r.problem_at(key, "'" + name + "' is not a field name");
  }
}

void check_networks(config::Problems& problems, const std::vector<config::Located<std::string>>& networks) {
  for (const auto& network : networks) {
    if (ClientNetworks().add(*network)) continue;
    problems.add(network.at, "'" + *network + "' is not a network", "write 10.0.0.0/8, ::1 or unix:");
  }
}

void lower(std::vector<std::string>& names) {
  for (auto& name : names) std::ranges::transform(name, name.begin(), to_lower);
}

void check(config::Reader& r, const CacheSettings& settings) {
  check_name(r, settings.name);
  check_statuses(r.problems(), settings.ttl_by_status);
  check_fields(r, "targeted", settings.targeted);
  check_fields(r, "tags", settings.tags);
  check_fields(r, "withhold", settings.withhold);
  check_networks(r.problems(), settings.purge_from);
  if (settings.max_object->count > settings.max_size.count / kShareOfSize) {
    r.problem_at("max_object", "more than a quarter of max_size", "write a smaller max_object or a larger max_size");
  }
}

}  // namespace

void decode(config::Reader& r, QueryKeySettings& settings) {
  r.optional("allow", settings.allow, "these parameters alone are in the key", config::list_of_one);
  r.optional("deny", settings.deny, "all parameters but these are in the key", config::list_of_one);
  r.optional("sort", settings.sort, "the same parameters in another order are the same key");
  r.at_most_one_of({"allow", "deny"});
}

void decode(config::Reader& r, VarySettings& settings) {
  r.optional("max_fields", settings.max_fields, "a response whose Vary names more isn't stored",
             config::in_range(1, 64));
  r.optional("max_variants", settings.max_variants, "stored at once for one key; the oldest goes",
             config::in_range(1, 1024));
}

void decode(config::Reader& r, StaleSettings& settings) {
  const auto longest = config::in_range<Duration>(Duration{}, kLongest);
  r.optional("while_revalidate", settings.while_revalidate,
             "past its time, a response is served at once and asked for anew behind the client's back", longest);
  r.optional("if_error", settings.if_error,
             "past its time, a response is served when the upstream fails: no answer, or 500, 502, 503, 504", longest);
}

void decode(config::Reader& r, CollapseSettings& settings) {
  r.shorthand("enabled");
  r.optional("enabled", settings.is_on, "requests for what is on its way wait for it");
  r.optional("wait", settings.wait, "at most so long; then they go to the upstream themselves",
             config::in_range<Duration>(milliseconds(1), hours(1)));
}

void decode(config::Reader& r, EarlyRefreshSettings& settings) {
  r.shorthand("beta");
  r.optional("beta", settings.beta,
             "how eagerly a response is asked for anew before its time is over (XFetch); 1 is usual, 0 is off",
             config::in_range(0.0, 100.0));
}

void decode(config::Reader& r, CacheStatusSettings& settings) {
  r.shorthand("name");
  r.optional("name", settings.name, "what this cache calls itself in Cache-Status", config::non_empty, config::names);
  r.optional("key", settings.key, "tell the key, too: it may hold what a client shouldn't see");
}

void decode(config::Reader& r, SharedSettings& settings) {
  r.shorthand("enabled");
  r.optional("enabled", settings.is_on, "keep responses in store.redis, too, where other processes find them");
  r.optional("max_object", settings.max_object, "larger ones stay in this process", config::at_most(Bytes{64 << 20}));
}

void decode(config::Reader& r, CacheSettings& settings) {
  const auto longest = config::in_range<Duration>(Duration{}, kLongest);
  r.optional("name", settings.name, "caches with the same name are one, on all routes; left out: the route's");
  r.optional("max_size", settings.max_size, "memory for stored responses, their heads and keys",
             config::in_range(Bytes{1 << 20}, Bytes{uint64_t{1} << 40}));
  r.optional("max_object", settings.max_object, "a larger body passes through, and isn't stored",
             config::in_range(Bytes{1}, Bytes{uint64_t{1} << 30}));
  r.optional("ttl", settings.ttl,
             "how long a response of status 200, 203, 204, 300, 301, 308, 404, 405, 410, 414 or 501 is "
             "fresh that doesn't say so itself; left out: heuristic",
             longest);
  r.optional("ttl_by_status", settings.ttl_by_status, "STATUS: the same for one status, whichever it is");
  r.optional("heuristic", settings.heuristic,
             "without any of these: a share of the time since Last-Modified (RFC 9111 section 4.2.2); 0%: none");
  r.optional("heuristic_max", settings.heuristic_max, "at most so long", longest);
  r.optional("key", settings.key, "joins the URL in the key: as header.x-user for a copy for each user");
  r.optional("query", settings.query, "which parameters of the query are in the key; left out: all, as they are");
  r.optional("methods", settings.methods, "answered from the cache; only GET fills it", config::list_of_one);
  r.optional("bypass", settings.bypass, "when one of these keys has a value: to the upstream, and nothing is stored",
             config::list_of_one);
  r.optional("no_store", settings.no_store, "when one of these keys has a value: what the upstream says isn't stored",
             config::list_of_one);
  r.optional("vary", settings.vary, "bounds for responses that differ by fields of the request");
  r.optional("respect_request_directives", settings.respect_request_directives,
             "what a client's Cache-Control may ask for", config::list_of_one);
  r.optional("serve_stale", settings.serve_stale, "for responses that don't say so themselves");
  r.optional("collapse", settings.collapse, "one request to the upstream for all who want the same at once");
  r.optional("uncacheable_ttl", settings.uncacheable_ttl,
             "for so long after a response that couldn't be stored nobody waits for another request's", longest);
  r.optional("early_refresh", settings.early_refresh, "asks anew before the time is over, now and then");
  r.optional("targeted", settings.targeted,
             "fields that say in Cache-Control's place what caches like this one do (RFC "
             "9213), the first one counts",
             config::list_of_one);
  r.optional("tags", settings.tags, "fields of responses that name the tags by which they are purged",
             config::list_of_one);
  r.optional(
      "withhold", settings.withhold,
      "fields that a request which may fill the cache doesn't take along: an upstream that believes them would poison "
      "what all are given",
      config::list_of_one);
  r.optional("set_cookie", settings.set_cookie, "store responses that set cookies");
  r.optional("cache_status", settings.cache_status, "the field that tells clients what the cache did (RFC 9211)");
  r.optional("purge_from", settings.purge_from, "networks whose clients may send PURGE", config::list_of_one);
  r.optional("shared", settings.shared, "a second level behind the memory");
  if (r.is_describing()) return;
  lower(settings.targeted);
  lower(settings.tags);
  lower(settings.withhold);
  if (!r.failed()) check(r, settings);
}

}  // namespace weir::plugins
