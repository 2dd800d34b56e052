#include "plugins/cache/lead.h"

#include <utility>

#include "async/race.h"
#include "http/target.h"
#include "plugins/cache/rules/conditions.h"
#include "plugins/cache/use.h"

namespace weir::plugins {

namespace {

using namespace std::chrono_literals;

// What the slowest reader may be behind, of what only passes: in bytes, the less when memory is short.
constexpr uint64_t kWindow = 1024 * 1024;
constexpr uint64_t kNarrow = 64 * 1024;
constexpr Duration kPatience = 10s;  // for one who holds up all others

constexpr std::string_view kOfOneClient = "ratelimit,ratelimit-policy";  // never stored

constexpr Duration kGrace = 1s;  // to who comes next for the same, before nobody is waited for

constexpr Error kGivenUp{ErrorCode::internal, Side::self, "the request that all waited for was given up"};

/// For those who didn't ask themselves: it counts for who did. Its text lives for ever.
Error shared(const Error& error) {
  return {error.code, Side::self, "so it went for the request that all waited for", error.retry};
}

/// RFC 9111 section 4.3.4: a 304 with another validator is about another state.
bool is_about(const Object& stored, const http::Headers& not_modified) {
  const auto etag = not_modified.get(http::Field::etag);
  if (etag) return matches_weakly(*etag, stored.validators().etag);
  const auto modified = not_modified.get(http::Field::last_modified);
  return !modified || !stored.validators().etag.empty() || *modified == stored.validators().last_modified;
}

/// All of the route's time: what is left of its first client's, or what that client grants, is that client's alone.
Time deadline_of(const Exchange& exchange, Time now) {
  const auto timeout = exchange.route ? exchange.route->timeout : Duration{};
  return timeout > Duration{} ? now + timeout : Time::max();
}

/// The first client's terms for a response, which the key doesn't have.
void drop_terms_of_client(http::Headers& headers) { headers.remove(http::Field::grpc_timeout); }

/// A response of this status is about what the URL stands for. Other 4xx may be about the request that asked.
bool is_about_url(uint16_t status) { return status < 400 || status == 404 || status == 410 || status == 451; }

/// By which port the client came, the key doesn't say: what is to be stored is for the URL's own.
void tell_port_of_url(Exchange& exchange) {
  auto& headers = exchange.request.headers;
  if (!headers.has(http::Field::x_forwarded_port) || !exchange.client.url_told.empty()) return;
  const auto named = http::port_of(exchange.request.authority);
  const std::string_view usual = exchange.client.scheme() == "https" ? "443" : "80";
  headers.remove(http::Field::x_forwarded_port);
  headers.add("X-Forwarded-Port", named.empty() ? usual : named, http::Field::x_forwarded_port);
}

}  // namespace

Lead::Lead(const CacheParts& parts, Exchange::ChildPtr child, Order order)
    : parts_(parts),
      shelf_(parts.shelf),
      snapshot_(child->exchange.snapshot),
      child_(std::move(child)),
      loop_(child_->exchange.loop()),
      order_(std::move(order)),
      purges_seen_(order_.fill->purges_seen),
      purge_id_(parts.shared ? parts.purges().newest_id() : std::string()) {
  child_->exchange.deadline = deadline_of(child_->exchange, loop_.now());
  child_->tell_delays_to(this);
  if (order_.handover) order_.handover->begin(*child_);
}

Lead::~Lead() {
  if (order_.handover) order_.handover->end();
  settle({.kind = Outcome::Kind::failed, .error = kGivenUp});
  shelf_->end(key(), order_.fill);
}

Task<> Lead::run(Next next) {
  if (order_.handover) co_await race(loop_, fetch(next), until_deserted());
  else co_await fetch(next);
  if (kept_ && parts_.shared && !order_.fill->is_outdated) co_await pass_on(*kept_);
}

/// True; a race is won by what has a result.
Task<bool> Lead::fetch(Next next) {
  if (!parts_.shared || !co_await find_in_store()) co_await ask(next);
  co_return true;
}

/// Ends when it isn't worth it any more: `fetch` is to go then.
Task<bool> Lead::until_deserted() {
  Attendance& attendance = *order_.fill->attendance;
  for (;;) {
    const auto seen = attendance.changed.count();
    if (!attendance.is_empty()) {
      co_await attendance.changed.news(loop_, seen);
      continue;
    }
    const Shelf::Deserted deserted(*shelf_);
    const auto deadline = has_head_ ? Time::max() : loop_.now() + kGrace;
    const bool may_go_on =
        !deserted.is_one_too_many() && (co_await attendance.changed.news(loop_, seen, deadline) || has_head_);
    if (!may_go_on && shelf_->abandon(key(), order_.fill)) co_return true;
  }
}

void Lead::settle(Outcome outcome) { shelf_->settle(key(), order_.fill, std::move(outcome)); }

Task<bool> Lead::find_in_store() {
  Exchange& exchange = child_->exchange;
  auto found = co_await parts_.shared->find(exchange, order_.key, url(), parts_.purges(), *shelf_);
  if (!found || (order_.stored && !is_newer(*found, *order_.stored))) co_return false;
  found->purges_seen = purges_seen_;
  shelf_->put(key(), found, *order_.fill);
  const auto use = use_of(*found, order_.asked, exchange.loop().now());
  if (use == Use::after_validation) {  // as though memory had held it
    order_.stored = from_store_ = std::move(found);
    co_return false;
  }
  shelf_->end(key(), order_.fill);  // a refresh that begins at once does not join it
  settle({.kind = Outcome::Kind::object, .object = found, .is_from_store = true});
  co_return true;
}

Task<> Lead::send(Next next, const Exchange::Mark& mark, ObjectPtr validated) {
  Exchange& exchange = child_->exchange;
  if (asked_ != Time{} && !exchange.rewind(mark)) co_return;
  auto& request = exchange.request;
  request.method = http::Method::get;
  request.method_name = "GET";
  if (validated) make_conditional(request.headers, validated->validators());
  else make_unconditional(request.headers);
  parts_.policy.withhold(request.headers);
  parts_.key->reduce(request);
  drop_terms_of_client(request.headers);
  tell_port_of_url(exchange);
  asked_ = exchange.loop().now();
  left_ = request.headers.copy(exchange.arena());
  co_await next(exchange);
}

std::string_view Lead::why_not_as_sent() const {
  const Exchange& exchange = child_->exchange;
  return parts_.policy.why_not_as_sent(*left_, exchange.sent_headers(), exchange.response.head);
}

Task<> Lead::ask(Next next) {
  Exchange& exchange = child_->exchange;
  const auto mark = exchange.mark(0);
  co_await send(next, mark, order_.stored);
  const auto is_304 = [&] { return !exchange.failure && exchange.response.head.status == 304; };
  const auto is_there = [&] { return order_.stored->content->state() != Content::State::broken; };
  if (is_304() && order_.stored && is_about(*order_.stored, exchange.response.head.headers) && is_there() &&
      why_not_as_sent().empty()) {
    co_return validated(mark.request);
  }
  if (is_304() && order_.stored) co_await send(next, mark, nullptr);

  const auto status = exchange.response.head.status;
  if (exchange.failure ||
      (order_.stored && is_origin_error(status) && may_stand_in(*order_.stored, order_.asked, exchange.loop().now()))) {
    co_return fail();
  }
  const auto moment = StoragePolicy::moment(exchange, asked_);
  auto verdict = parts_.policy.judge(mark.request, exchange.response.head, moment);
  if (verdict.why_not.empty()) verdict.why_not = why_not_as_sent();
  if (const auto why = why_not(verdict); !why.empty()) co_return is_origin_error(status) ? fail() : give_up(why);
  co_await keep(std::move(verdict), moment);
}

std::string_view Lead::why_not(const StoragePolicy::Verdict& verdict) const {
  const Exchange& exchange = child_->exchange;
  const auto size = exchange.response.body->size();
  if (exchange.record.has(Flag::FB)) return "fallback";  // what stands in for an answer is none
  if (size.kind == http::BodySize::Kind::known && size.bytes > parts_.max_object) return "size";
  return verdict.why_not;
}

void Lead::validated(const http::RequestHead& request) {
  Exchange& exchange = child_->exchange;
  const auto moment = StoragePolicy::moment(exchange, asked_);
  auto renewed = parts_.policy.freshened(*order_.stored, request, exchange.response.head, moment);
  if (order_.handover) order_.handover->tell(*child_, 304);
  ObjectPtr object = order_.stored;
  if (renewed) {
    renewed->purges_seen = purges_seen_;
    object = renewed;
    shelf_->put(key(), object, *order_.fill);
    if (object->selection != order_.stored->selection) shelf_->drop(key(), order_.stored);  // it took another's place
  } else {
    if (order_.handover) order_.handover->keep_private(exchange.response.head.headers, "set-cookie");
    shelf_->drop(key(), object);
  }
  order_.fill->is_kept = renewed && !order_.fill->is_outdated;
  settle({.kind = Outcome::Kind::object, .object = std::move(object), .was_validated = true, .status = 304});
}

void Lead::fail() {
  const Exchange& exchange = child_->exchange;
  Outcome outcome{.kind = Outcome::Kind::failed, .object = from_store_};
  if (exchange.failure) outcome.error = shared(*exchange.failure);
  else outcome.status = exchange.response.head.status;
  hand_over();
  settle(std::move(outcome));
}

/// What came is for the leader alone, if it is still there.
void Lead::hand_over() {
  child_->tell_delays_to(nullptr);
  if (order_.handover) order_.handover->give(std::move(child_));
}

void Lead::give_up(std::string_view why) {
  Exchange& exchange = child_->exchange;
  const auto status = exchange.response.head.status;
  const bool is_answer = why != "fallback" && why != "authorization";  // to what all ask
  const auto& asked = exchange.request.headers;
  const bool is_known_user = asked.has(http::Field::cookie) || asked.has(http::Field::authorization);
  const bool is_about_user = is_known_user && (why == "private" || why == "set-cookie" || why == "vary");
  if (is_answer && is_about_url(status) &&
      !is_about_user) {  // for all who ask: what one client provokes changes nothing
    if (order_.stored) shelf_->drop(key(), order_.stored);
    shelf_->remember_uncacheable(key(), exchange.loop().now() + parts_.uncacheable_ttl);
  }
  hand_over();
  settle({.kind = Outcome::Kind::uncacheable, .status = status, .why = why});
}

Task<> Lead::keep(StoragePolicy::Verdict verdict, const Moment& moment) {
  Exchange& exchange = child_->exchange;
  const auto size = exchange.response.body->size();
  std::optional<uint64_t> announced;
  if (size.kind != http::BodySize::Kind::unknown) announced = size.bytes;
  auto content = std::make_shared<Content>(announced, order_.fill->attendance);
  content->charge_to(shelf_->account());
  const auto status = exchange.response.head.status;
  if (order_.handover) {
    const auto& headers = exchange.response.head.headers;
    const auto named = parts_.policy.directives_of(headers).private_fields;
    order_.handover->keep_private(headers, exchange.arena().concat({kOfOneClient, ",", named}));
  }
  const auto object = parts_.policy.make(std::move(verdict), exchange.response.head, content, moment);
  object->purges_seen = purges_seen_;
  if (order_.handover) order_.handover->tell(*child_, status);
  has_head_ = true;
  order_.fill->is_kept = announced && shelf_->make_room(loop_.now());
  settle({.kind = Outcome::Kind::object, .object = object, .status = status});
  if (!co_await pump(*content)) co_return;
  shelf_->put(key(), object, *order_.fill);
  order_.fill->is_kept = !order_.fill->is_outdated;
  shelf_->end(key(), order_.fill);
  parts_.measure();
  kept_ = object;
}

/// Whose fault it is that the response broke off: an endpoint that gave up because nobody read is not to blame.
Side Lead::whose(const Error& error) const {
  const Attempt* const attempt = child_->exchange.attempts.last_answered(0);
  return attempt && !concerns_endpoint(attempt->outcome) ? Side::self : error.side;
}

/// True when all of it is there, to be kept.
Task<bool> Lead::pump(Content& content) {
  child_->exchange.commit();
  Body& body = *child_->exchange.response.body;
  bool passes = false;
  uint64_t bytes = 0;
  for (;;) {
    auto chunk = co_await body.read();
    if (!chunk) {
      content.fail({chunk.error().code, whose(chunk.error()), "the response broke off"});
      co_return false;
    }
    if (chunk->is_end) break;
    content.append(chunk->data.view());
    bytes += chunk->data.size();
    if (!passes && (bytes > parts_.max_object || !shelf_->make_room(loop_.now()))) {
      passes = true;
      let_pass(content, bytes);
    }
    if (passes && !co_await until_read(content)) {
      content.fail({ErrorCode::client_gone, Side::client, "nobody reads it any more"});
      co_return false;
    }
  }
  const bool is_exact = body.is_exact() && bytes == content.announced().value_or(bytes);
  content.finish(is_exact ? Content::Exact::yes : Content::Exact::no);
  co_return !passes && is_exact;
}

/// It is too large, or there is no room now: nobody joins it any more.
void Lead::let_pass(Content& content, uint64_t bytes) {
  order_.fill->is_kept = false;
  if (bytes > parts_.max_object) shelf_->remember_uncacheable(key(), loop_.now() + parts_.uncacheable_ttl);
  shelf_->end(key(), order_.fill);
  content.let_pass();
}

/// Until the slowest reader has caught up; false when there is none any more.
Task<bool> Lead::until_read(Content& content) {
  for (;;) {
    const auto seen = content.drained.count();
    if (content.state() == Content::State::broken) co_return false;  // memory was short
    const auto backlog = content.backlog();
    const uint64_t window = shelf_->is_filling_up() ? kNarrow : kWindow;
    if (!backlog && order_.fill->attendance->is_empty()) co_return false;
    if (backlog && !is_held_up(content, *backlog, window)) co_return true;
    co_await content.drained.news(loop_, seen, loop_.now() + 1s);
  }
}

/// By its slowest reader. One who takes less than a window in all that time, though others wait, is cut off.
bool Lead::is_held_up(Content& content, uint64_t backlog, uint64_t window) {
  if (backlog <= window) return false;
  const bool is_over = held_up_since_ && loop_.now() - *held_up_since_ >= kPatience;
  const bool has_cut = is_over && content.cut_off(window / 2, window);
  if (is_over) held_up_since_.reset();
  if (has_cut) return false;
  if (!held_up_since_) {
    held_up_since_ = loop_.now();
    content.watch_readers();
  }
  return true;
}

/// Behind everybody's back: the clients have it already.
Task<> Lead::pass_on(const Object& object) {
  const auto put = co_await parts_.shared->put(child_->exchange, order_.key, object, purge_id_);
  if (put == SharedLevel::Put::full) parts_.left_out.add();
}

Task<> carry_out(std::unique_ptr<Lead> lead, Next next) { co_await lead->run(next); }

}  // namespace weir::plugins
