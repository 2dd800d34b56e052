#include "plugins/cache/cache.h"

#include <algorithm>
#include <random>

#include "exchange/decisions.h"
#include "exchange/stored_only.h"
#include "http/target.h"
#include "plugins/cache/reply.h"
#include "plugins/cache/rules/conditions.h"
#include "plugins/cache/use.h"

// A request's way: `handle` sorts out what a cache has no part in; `answer` looks on the shelf; what isn't there,
// `fetch` has from the origin (fetch.cpp).

namespace weir::plugins {

namespace {

/// Above 0, at most 1.
double chance() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_real_distribution<>(0, 1)(random) + 1e-12;
}

bool has(const std::vector<RequestWord>& words, RequestWord word) {
  return std::ranges::find(words, word) != words.end();
}

/// To another upstream, by a fallback in front: what that one answers isn't what the URL stands for.
bool is_diverted(const Exchange& exchange) { return exchange.record.has(Flag::FB); }

bool has_any(const std::vector<KeyExpression>& keys, Exchange& exchange) {
  return std::ranges::any_of(keys, [&](const auto& key) { return !key.evaluate(exchange).empty(); });
}

RequestDirectives respected(RequestDirectives asked, const std::vector<RequestWord>& words) {
  if (!has(words, RequestWord::no_cache)) asked.no_cache = false;
  if (!has(words, RequestWord::no_store)) asked.no_store = false;
  if (!has(words, RequestWord::only_if_cached)) asked.only_if_cached = false;
  if (!has(words, RequestWord::max_age)) asked.max_age.reset();
  if (!has(words, RequestWord::min_fresh)) asked.min_fresh.reset();
  if (!has(words, RequestWord::max_stale)) asked.max_stale.reset();
  return asked;
}

/// A fill that nobody joins, while the origin is asked for something else: what is invalidated meanwhile shows there.
struct Alone {
  Alone(Shelf& shelf, const Shelf::Key& key, const Shelf::Want& want)
      : shelf(shelf), key(key), fill(shelf.begin_alone(key, want)) {}
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;
  ~Alone() { shelf.end(key, fill); }

  Shelf& shelf;
  const Shelf::Key key;
  const FillPtr fill;
};

bool says_the_same(const http::ResponseHead& head, const Object& stored) {
  const auto now = validators_of(head.headers);
  const auto& then = stored.validators();
  const auto length = head.headers.get(http::Field::content_length);
  return now.etag == then.etag && now.last_modified == then.last_modified &&
         (!length || parse_decimal(*length) == stored.content->size());
}

}  // namespace

Cache::Cache(const CacheSettings& settings, const FilterContext::Scope& name, FilterContext& context)
    : parts_(settings, name, context),
      key_(*parts_.key),
      status_(settings.cache_status),
      collapse_(settings.collapse),
      beta_(settings.early_refresh.beta),
      methods_(settings.methods),
      respected_(settings.respect_request_directives),
      bypass_(settings.bypass),
      no_store_(settings.no_store),
      outcomes_(context.metrics, name.label, context.route) {
  for (const auto& network : settings.purge_from) purge_from_.add(*network);
}

// Sorting out.

Task<> Cache::handle(Exchange& exchange, Next next) const {
  const auto& request = exchange.request;
  if (!request.protocol.empty()) co_return co_await next(exchange);  // a tunnel
  if (const auto within = exchange.facts.get(kStoredOnly); !within.empty()) co_return answer_stored(exchange, within);
  if (request.method_name == "PURGE" && !purge_from_.empty()) co_return purge(exchange);
  if (!http::is_safe(request.method)) co_return co_await change(exchange, next);
  if (!answers(request.method)) co_return co_await pass(exchange, next, {.forward = CacheStatus::Forward::method});
  if (is_diverted(exchange) || is_bypassed(exchange))
    co_return co_await pass(exchange, next, {.forward = CacheStatus::Forward::bypass});
  co_await answer(exchange, next, inquire(exchange));
}

bool Cache::answers(http::Method method) const {
  const auto has = [&](CachedMethod wanted) { return std::ranges::find(methods_, wanted) != methods_.end(); };
  return method == http::Method::get ? has(CachedMethod::get) : method == http::Method::head && has(CachedMethod::head);
}

bool Cache::is_bypassed(Exchange& exchange) const {
  return exchange.request_body->size().kind != http::BodySize::Kind::none ||
         is_for_origin_alone(exchange.request.headers) || has_any(bypass_, exchange);
}

/// RFC 9111 section 4.4: what has changed is forgotten.
Task<> Cache::change(Exchange& exchange, Next next) const {
  const auto target = url_of(exchange);
  const auto origin = origin_of(exchange);
  co_await pass(exchange, next, {.forward = CacheStatus::Forward::method});
  if (exchange.failure || exchange.response.head.status >= 400) co_return;
  forget(exchange, target, Tell::when_needed);
  for (const std::string_view name : {"location", "content-location"}) {
    const auto url = exchange.response.head.headers.get(name);
    const auto absolute = url ? resolve_url(*url, origin, exchange.request.path, exchange.arena()) : std::nullopt;
    if (absolute && *absolute != target) forget(exchange, *absolute, Tell::when_needed);
  }
}

/// In all forms that keys of this cache may have it.
void Cache::forget(Exchange& exchange, std::string_view url, Tell tell) const {
  const bool is_told = tell == Tell::always || parts_.longer->are_there() || parts_.shared;
  parts_.forms->for_each(url, exchange.arena(), [&](std::string_view form) {
    parts_.shelf->invalidate(parts_.shelf->key_of(form));
    if (is_told) parts_.feed->order({.kind = Purge::Kind::url, .text = std::string(form)});
  });
}

void Cache::purge(Exchange& exchange) const {
  if (!purge_from_.contain(exchange.client)) {
    return exchange.fail({ErrorCode::forbidden, Side::client, "PURGE isn't for everybody"});
  }
  forget(exchange, url_of(exchange), Tell::always);
  exchange.respond(200, "application/json", "{\"purged\":true}\n");
}

Task<> Cache::pass(Exchange& exchange, Next next, CacheStatus status) const {
  co_await next(exchange);
  finish_passed(exchange, status);
}

void Cache::finish_passed(Exchange& exchange, CacheStatus status) const {
  if (!exchange.failure) status.forward_status = exchange.response.head.status;
  parts_.policy.hide(exchange.response.head.headers);
  const bool is_none_of_ours =
      status.forward == CacheStatus::Forward::method || status.forward == CacheStatus::Forward::bypass;
  finish(exchange, status, is_none_of_ours ? CacheOutcome::bypass : CacheOutcome::miss);
}

void Cache::finish(Exchange& exchange, CacheStatus status, CacheOutcome outcome) const {
  if (status_.key && outcome != CacheOutcome::bypass) status.key = key_.of(exchange).whole;
  add_cache_status(exchange.response.head.headers, status, status_.name);
  exchange.facts.set(kCacheOutcome, name_of(outcome));
  if (log::is_debug()) decisions::cache(exchange, status_.name, name_of(outcome), key_.of(exchange).whole);
  outcomes_.count(outcome);
}

// Looking.

Cache::Inquiry Cache::inquire(Exchange& exchange) const {
  const auto& headers = exchange.request.headers;
  Inquiry inquiry;
  inquiry.text = key_.of(exchange);
  inquiry.key = parts_.shelf->key_of(inquiry.text.whole);
  if (!inquiry.text.is_url()) parts_.longer->note();
  if (headers.may_have(http::set_of(http::Field::cache_control)) || headers.get("pragma")) {
    inquiry.asked = respected(request_directives(headers), respected_);
  }
  inquiry.may_store = !inquiry.asked.no_store && !has_any(no_store_, exchange);
  inquiry.may_wait = collapse_.is_on && !headers.has(http::Field::authorization) && !headers.has(http::Field::cookie);
  return inquiry;
}

/// What was ordered since it was last looked at, is done now.
Shelf::Found Cache::look(Exchange& exchange, const Inquiry& inquiry) const {
  auto found = parts_.shelf->find(inquiry.key, exchange.request.headers, exchange.arena(), exchange.loop().now());
  if (!found.object) return found;
  const auto newest = parts_.purges().newest();
  const auto seen = found.object->purges_seen.load(std::memory_order_relaxed);
  if (seen == newest) return found;
  const auto verdict = parts_.purges().judge(seen, inquiry.text.url, found.object->tags);
  if (verdict == Purges::Verdict::gone) {
    parts_.shelf->drop(inquiry.key, found.object);
    return look(exchange, inquiry);  // there may be another
  }
  found.object->heed(verdict);
  found.object->purges_seen = newest;
  return found;
}

Task<> Cache::answer(Exchange& exchange, Next next, Inquiry inquiry) const {
  auto found = look(exchange, inquiry);
  const Time now = exchange.loop().now();
  if (found.object) {
    const auto use = use_of(*found.object, inquiry.asked, now);
    const bool is_due =
        use == Use::while_revalidating || (beta_ > 0 && is_due_early(*found.object, beta_, chance(), now));
    if (use != Use::after_validation) {
      if (is_due) refresh(exchange, next, inquiry, found.object);
      if (reply_stored(exchange, found.object,
                       {.detail = is_due && !found.object->is_fresh(now) ? "stale-while-revalidate" : ""})) {
        co_return;
      }
    }
  }
  if (inquiry.asked.only_if_cached) co_return refuse_only_if_cached(exchange);
  if (exchange.request.method == http::Method::head) co_return co_await renew_by_head(exchange, next, inquiry, found);
  const auto why = why_forwarded(found, now);
  if (!inquiry.may_store) co_return co_await pass(exchange, next, {.forward = why, .detail = "no-store"});
  const bool is_known_uncacheable = found.is_uncacheable && !found.is_known;
  if (is_known_uncacheable && exchange.request.headers.has(http::Field::range)) {  // the whole would come for nothing
    co_return co_await pass(exchange, next, {.forward = why, .detail = "uncacheable"});
  }
  if (found.is_known) inquiry.may_wait = collapse_.is_on;
  if (is_known_uncacheable) inquiry.may_wait = false;
  co_await fetch(exchange, next, inquiry, std::move(found));
}

CacheStatus::Forward Cache::why_forwarded(const Shelf::Found& found, Time now) const {
  using enum CacheStatus::Forward;
  if (!found.object) return found.is_known ? vary_miss : uri_miss;
  return found.object->is_fresh(now) && !found.object->terms.always_revalidate ? request : stale;
}

bool Cache::reply_stored(Exchange& exchange, const ObjectPtr& object, CacheStatus status) const {
  const Time now = exchange.loop().now();
  const bool is_stale = !object->is_fresh(now);
  if (!reply(exchange, object)) return false;
  status.ttl = object->ttl(now);
  outcomes_.served(object->age(now));
  if (is_stale) exchange.record.raise(Flag::ST);
  finish(exchange, status, is_stale ? CacheOutcome::stale : CacheOutcome::hit);
  return true;
}

/// For a filter in front that has seen the failure. Nothing of the kind is no answer, and isn't counted as one.
void Cache::answer_stored(Exchange& exchange, std::string_view within) const {
  if (answers(exchange.request.method) && !is_bypassed(exchange)) {
    const auto inquiry = inquire(exchange);
    const auto found = look(exchange, inquiry);
    const auto most = std::chrono::seconds(parse_decimal(within).value_or(0));
    const bool is_good = found.object && may_stand_in(*found.object, inquiry.asked, most, exchange.loop().now());
    if (is_good && reply_stored(exchange, found.object, {.detail = "fallback"})) return;
  }
  exchange.fail({ErrorCode::not_cached, Side::client, "nothing is stored that may stand in"});
}

void Cache::refuse_only_if_cached(Exchange& exchange) const {
  exchange.fail({ErrorCode::not_cached, Side::client, "it was to come from the cache alone, and isn't there"});
  finish(exchange, {.forward = CacheStatus::Forward::nowhere, .detail = "only-if-cached"}, CacheOutcome::refused);
}

/// RFC 9111 section 4.3.5: what the answer to a HEAD says of the stored response.
Task<> Cache::renew_by_head(Exchange& exchange, Next next, const Inquiry& inquiry, Shelf::Found found) const {
  const Time asked = exchange.loop().now();
  CacheStatus status{.forward = why_forwarded(found, asked)};
  const Alone alone(*parts_.shelf, inquiry.key, want(exchange, inquiry, nullptr, 0));
  const auto mark = exchange.mark(0);
  if (found.object) {  // its answer may renew what is stored
    parts_.policy.withhold(exchange.request.headers);
    key_.reduce(exchange.request);
  }
  co_await next(exchange);
  auto& head = exchange.response.head;
  const bool has_failed = exchange.failure || is_origin_error(head.status);
  if (found.object && has_failed && stand_in(exchange, found.object, inquiry)) co_return;
  if (!exchange.failure) status.forward_status = head.status;
  const bool is_about_it = found.object && !exchange.failure && head.status == found.object->status;
  if (is_about_it && inquiry.may_store && says_the_same(head, *found.object)) {
    const auto moment = StoragePolicy::moment(exchange, asked);
    auto renewed = parts_.policy.freshened(*found.object, mark.request, head, moment);
    if (renewed) parts_.shelf->put(inquiry.key, std::move(renewed), *alone.fill);
  } else if (is_about_it && !says_the_same(head, *found.object)) {
    parts_.shelf->drop(inquiry.key, found.object);
  }
  parts_.policy.hide(head.headers);
  finish(exchange, status, CacheOutcome::miss);
}

}  // namespace weir::plugins
