#include "plugins/cache/lead.h"

#include <utility>

#include "plugins/cache/rules/conditions.h"
#include "plugins/cache/use.h"

namespace weir::plugins {

namespace {

using namespace std::chrono_literals;

constexpr uint64_t kWindow = 1024 * 1024;  // what the slowest reader may be behind, of what only passes

constexpr Error kGivenUp{ErrorCode::internal, Side::self, "the request that all waited for was given up"};

/// For those who didn't ask themselves. Its text lives for ever.
Error shared(const Error& error) {
  return {error.code, error.side, "so it went for the request that all waited for", error.retry};
}

/// RFC 9111 section 4.3.4: a 304 with another validator is about another state.
bool is_about(const Object& stored, const http::Headers& not_modified) {
  const auto etag = not_modified.get(http::Field::etag);
  if (etag) return matches_weakly(*etag, stored.validators().etag);
  const auto modified = not_modified.get(http::Field::last_modified);
  return !modified || !stored.validators().etag.empty() || *modified == stored.validators().last_modified;
}

}  // namespace

// The leader.

void Handover::leave() {
  if (running_) running_->inform_through(nullptr);
  leader_ = nullptr;
  given_.reset();
}

void Handover::begin(Child& child) {
  if (!leader_) return;
  running_ = &child;
  child.inform_through(leader_);
}

void Handover::tell(Child& child, uint16_t status) {
  running_ = nullptr;
  child.inform_through(nullptr);
  if (!leader_) return;
  const auto& attempts = child.exchange.attempts;
  for (size_t i = 0; i < attempts.size(); ++i) {
    Attempt& told = leader_->attempts.add(attempts[i]);
    if (told.outcome == Outcome::pending && told.status == status) told.outcome = Outcome::answered;
  }
  leader_->record.flags |= child.exchange.record.flags;
  child.leave_untold();
}

void Handover::give(Exchange::ChildPtr child) {
  running_ = nullptr;
  child->inform_through(nullptr);
  if (leader_) given_ = std::move(child);
}

void Handover::keep_private(const http::Headers& headers, std::string_view names) {
  if (!leader_ || names.empty()) return;
  http::Headers own(leader_->arena());
  for (const auto& header : headers) {
    if (list_has(names, header.name)) own.add(header.name, header.value, header.field);
  }
  const auto kept = own.copy(leader_->arena(), http::Headers::Deep::yes);
  own_ = {kept.begin(), kept.end()};
}

// The fill.

Lead::Lead(const CacheParts& parts, Exchange::ChildPtr child, Order order)
    : parts_(parts),
      shelf_(parts.shelf),
      snapshot_(child->exchange.snapshot),
      child_(std::move(child)),
      order_(std::move(order)),
      purges_seen_(order_.fill->purges_seen),
      purge_id_(parts.shared ? parts.purges().newest_id() : std::string()) {
  if (order_.handover) order_.handover->begin(*child_);
}

Lead::~Lead() {
  if (order_.handover) order_.handover->end();
  shelf_->gave_back(counted_);
  settle({.kind = Outcome::Kind::failed, .error = kGivenUp});
  shelf_->end(key(), order_.fill);
}

Task<> Lead::run(Next next) {
  if (parts_.shared && co_await find_in_store()) co_return;
  co_await ask(next);
}

void Lead::settle(Outcome outcome) { order_.fill->settle(std::move(outcome)); }

Task<bool> Lead::find_in_store() {
  Exchange& exchange = child_->exchange;
  auto found = co_await parts_.shared->find(exchange, order_.key, url(), parts_.purges());
  if (!found || (order_.stored && found->terms.born <= order_.stored->terms.born)) co_return false;
  if (use_of(*found, order_.asked, exchange.loop().now()) != Use::as_it_is) co_return false;
  found->purges_seen = purges_seen_;
  shelf_->put(key(), found, *order_.fill);
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
  asked_ = exchange.loop().now();
  co_await next(exchange);
}

Task<> Lead::ask(Next next) {
  Exchange& exchange = child_->exchange;
  const auto mark = exchange.mark(0);
  co_await send(next, mark, order_.stored);
  const auto is_304 = [&] { return !exchange.failure && exchange.response.head.status == 304; };
  if (is_304() && order_.stored && is_about(*order_.stored, exchange.response.head.headers)) {
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
  } else {
    shelf_->drop(key(), object);
  }
  settle({.kind = Outcome::Kind::object, .object = std::move(object), .was_validated = true, .status = 304});
}

void Lead::fail() {
  const Exchange& exchange = child_->exchange;
  Outcome outcome{.kind = Outcome::Kind::failed};
  if (exchange.failure) outcome.error = shared(*exchange.failure);
  else outcome.status = exchange.response.head.status;
  if (order_.handover) order_.handover->give(std::move(child_));
  settle(std::move(outcome));
}

void Lead::give_up(std::string_view why) {
  Exchange& exchange = child_->exchange;
  const auto status = exchange.response.head.status;
  const bool is_answer = why != "fallback" && why != "authorization";  // to what all ask
  if (order_.stored && is_answer) shelf_->drop(key(), order_.stored);
  if (is_answer && status < 500) {
    shelf_->remember_uncacheable(key(), exchange.loop().now() + parts_.uncacheable_ttl);
  }
  if (order_.handover) order_.handover->give(std::move(child_));
  settle({.kind = Outcome::Kind::uncacheable, .status = status, .why = why});
}

Task<> Lead::keep(StoragePolicy::Verdict verdict, const Moment& moment) {
  Exchange& exchange = child_->exchange;
  const auto size = exchange.response.body->size();
  std::optional<uint64_t> announced;
  if (size.kind != http::BodySize::Kind::unknown) announced = size.bytes;
  auto content = std::make_shared<Content>(announced);
  const auto status = exchange.response.head.status;
  if (order_.handover) {
    const auto& headers = exchange.response.head.headers;
    order_.handover->keep_private(headers, parts_.policy.directives_of(headers).private_fields);
  }
  const auto object = parts_.policy.make(std::move(verdict), exchange.response.head, content, moment);
  object->purges_seen = purges_seen_;
  if (order_.handover) order_.handover->tell(*child_, status);
  settle({.kind = Outcome::Kind::object, .object = object, .status = status});
  if (!co_await pump(*content)) co_return;
  shelf_->put(key(), object, *order_.fill);
  shelf_->gave_back(std::exchange(counted_, 0));
  shelf_->end(key(), order_.fill);
  parts_.measure();
  if (parts_.shared && !order_.fill->is_outdated) co_await pass_on(*object);
}

/// What it takes now counts; false when all that is on its way takes too much.
bool Lead::account(const Content& content) {
  const auto now = static_cast<int64_t>(content.footprint());
  return shelf_->may_grow(now - std::exchange(counted_, now));
}

/// True when all of it is there, to be kept.
Task<bool> Lead::pump(Content& content) {
  Body& body = *child_->exchange.response.body;
  bool passes = false;
  uint64_t bytes = 0;
  for (;;) {
    auto chunk = co_await body.read();
    if (!chunk) {
      content.fail({chunk.error().code, chunk.error().side, "the response broke off"});
      co_return false;
    }
    if (chunk->is_end) break;
    content.append(chunk->data.view());
    bytes += chunk->data.size();
    const bool has_room = account(content);
    if (!passes && (!has_room || bytes > parts_.max_object)) {
      passes = true;
      shelf_->remember_uncacheable(key(), child_->exchange.loop().now() + parts_.uncacheable_ttl);
      shelf_->end(key(), order_.fill);
      content.let_pass();
    }
    if (passes && !co_await until_read(content)) {
      content.fail({ErrorCode::client_gone, Side::client, "nobody reads it any more"});
      co_return false;
    }
  }
  content.finish();
  co_return !passes && body.is_exact() && bytes == content.announced().value_or(bytes);
}

/// Until the slowest reader has caught up; false when there is none any more.
Task<bool> Lead::until_read(Content& content) {
  Loop& loop = child_->exchange.loop();
  for (;;) {
    const auto seen = content.drained.count();
    const auto backlog = content.backlog();
    const bool is_awaited = order_.handover && !order_.handover->is_left();
    if (!backlog && !is_awaited) co_return false;
    if (backlog && *backlog <= kWindow) co_return true;
    co_await content.drained.news(loop, seen, loop.now() + 1s);
  }
}

/// Behind everybody's back: the clients have it already.
Task<> Lead::pass_on(const Object& object) {
  co_await parts_.shared->put(child_->exchange, order_.key, object, purge_id_);
}

Task<> carry_out(std::unique_ptr<Lead> lead, Next next) { co_await lead->run(next); }

}  // namespace weir::plugins
