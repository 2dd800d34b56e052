#include "plugins/cache/page.h"

#include <nlohmann/json.hpp>

#include "exchange/exchange.h"
#include "plugins/cache/cache_list.h"
#include "plugins/cache/purge_request.h"

namespace weir::plugins {

namespace {

using Json = nlohmann::ordered_json;
constexpr std::string_view kPath = "/cache";
constexpr std::string_view kPurgePath = "/cache/purge";
constexpr size_t kMostBody = 64 * 1024;

Json to_json(const CacheList::Entry& cache) {
  const auto size = cache.shelf->size();
  return {
      {"name", cache.name},          {"objects", size.objects},
      {"bytes", size.bytes},         {"max_size", cache.shelf->settings().max_size},
      {"evictions", size.evictions}, {"newest_purge", cache.feed->purges().newest()},
  };
}

std::string text_of(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

void respond(Exchange& exchange, const Json& json) {
  exchange.respond(200, "application/json", exchange.arena().copy(text_of(json)));
  exchange.response.head.headers.add("cache-control", "no-store");
}

/// As the cache knows the URL. Of a prefix that ends within a query only the path is sure to be in the keys: it means
/// all queries of the path then.
void order(const CacheList::Entry& cache, const Purge& purge, Arena& arena) {
  const auto order_url = [&](std::string_view url) {
    cache.forms->for_each(url, arena, [&](std::string_view form) {
      cache.feed->order({.kind = Purge::Kind::url, .force = purge.force, .text = std::string(form)});
    });
  };
  if (purge.kind == Purge::Kind::url) return order_url(purge.text);
  const auto mark = purge.text.find('?');
  if (purge.kind != Purge::Kind::prefix || mark == std::string::npos || !cache.forms->change_queries()) {
    cache.feed->order(purge);
    return;
  }
  order_url(std::string_view(purge.text).substr(0, mark));
  cache.feed->order({.kind = Purge::Kind::prefix, .force = purge.force, .text = purge.text.substr(0, mark + 1)});
}

void refuse_method(Exchange& exchange, std::string_view allowed) {
  exchange.fail({ErrorCode::method_not_allowed, Side::client, "this path takes another method"});
  exchange.response.head.headers.add("allow", allowed);
}

class Page final : public Origin {
 public:
  explicit Page(std::shared_ptr<CacheList> caches) : caches_(std::move(caches)) {}

  Task<> handle(Exchange& exchange) const override {
    const auto method = exchange.request.method;
    const auto path = exchange.request.path;
    if (path == kPurgePath) {
      if (method == http::Method::post) co_await purge(exchange);
      else refuse_method(exchange, "POST");
    } else if (path != kPath) {
      exchange.fail({ErrorCode::no_route, Side::client, "there are GET /cache and POST /cache/purge"});
    } else {
      refuse_method(exchange, "GET, HEAD");
    }
  }

 private:
  Task<> purge(Exchange& exchange) const {
    const auto body = co_await exchange.request_body->whole(kMostBody);
    if (!body) co_return exchange.fail(body.error());
    const auto request = read_purge_request(exchange.request.query, *body, exchange.arena());
    if (!request) co_return exchange.fail(request.error());
    obey(exchange, *request);
  }

  void obey(Exchange& exchange, const PurgeRequest& request) const {
    Json purged = Json::array();
    for (const auto& cache : caches_->all()) {
      if (!request.cache.empty() && request.cache != cache->name) continue;
      order(*cache, request.purge, exchange.arena());
      purged.push_back(cache->name);
    }
    if (purged.empty() && !request.cache.empty())
      return exchange.fail({ErrorCode::no_route, Side::client, "GET /cache lists the names"});
    const auto kind = name_of(request.purge.kind);
    Json answer = {{"purged", std::move(purged)}, {"kind", kind}};
    if (!request.purge.text.empty()) answer[std::string(kind)] = request.purge.text;
    answer["soft"] = request.purge.force == Purge::Force::soft;
    respond(exchange, answer);
  }

  std::shared_ptr<CacheList> caches_;
};

std::string list(const CacheList& caches) {
  Json all = Json::array();
  for (const auto& cache : caches.all()) all.push_back(to_json(*cache));
  return text_of({{"caches", std::move(all)}});
}

}  // namespace

AdminPage cache_page(StateSlots& slots) {
  auto caches = slots.find<CacheList>("caches", {});
  return {std::string(kPath),
          "GET  /cache          the caches, and what they hold\n"
          "POST /cache/purge    ?url=, prefix=, tag= or all; soft: makes stale; name=: in one cache only\n",
          std::make_shared<Page>(caches), [caches](const Clock&) { return list(*caches); }};
}

}  // namespace weir::plugins
