#include "exchange/client_networks.h"
#include "exchange/degraded.h"
#include "plugins/cache/cache.h"
#include "plugins/cache/reply.h"
#include "plugins/cache/use.h"

// What isn't on the shelf: asked for by a Lead in the background, on behalf of this request or of another that came
// before. A waiter may need several rounds: a fill may not match the waiter's request, may fail, or may be delayed by a
// limit of its first client. None of that is handed to a waiter, who asks for itself then.

namespace weir::plugins {

namespace {

constexpr Error kNothingCame{ErrorCode::internal, Side::self, "the fill ended without a response"};

constexpr int kMostTurns = 8;  // fills with a response that one request waits for, none of which matches it

bool has_failed(const Exchange& exchange) { return exchange.failure || is_origin_error(exchange.response.head.status); }

/// What another process had is stale, and may be used while it is refreshed.
bool is_due(const Fill::Outcome& outcome, const RequestDirectives& asked, Time now) {
  return outcome.is_from_store && use_of(*outcome.object, asked, now) == Use::while_revalidating;
}

/// Leaves when the leader's coroutine does, however that ends.
class Leave {
 public:
  explicit Leave(std::shared_ptr<Handover> handover) : handover_(std::move(handover)) {}
  Leave(const Leave&) = delete;
  Leave& operator=(const Leave&) = delete;
  ~Leave() {
    if (handover_) handover_->leave();
  }

 private:
  std::shared_ptr<Handover> handover_;
};

}  // namespace

Shelf::Want Cache::want(Exchange& exchange, const Inquiry& inquiry, const ObjectPtr& known, unsigned failures) const {
  const Time now = exchange.loop().now();
  const auto& asked = inquiry.asked;
  const bool is_particular = asked.no_cache || asked.max_age || asked.min_fresh;
  return {.now = now,
          .oldest = now - collapse_.wait,
          .url = inquiry.text.url,
          .purges = &parts_.purges(),
          .is_particular = is_particular,
          .failures = failures,
          .known = known};
}

Shelf::Joined Cache::join(Exchange& exchange, const Inquiry& inquiry, const ObjectPtr& stored,
                          unsigned failures) const {
  const auto wanted = want(exchange, inquiry, stored, failures);
  if (!inquiry.may_wait) {
    auto fill = parts_.shelf->begin_alone(inquiry.key, wanted);
    return {.fill = fill, .attendee = Attendee(fill->attendance), .leads = true};
  }
  return parts_.shelf->join(inquiry.key, exchange.request.headers, exchange.arena(), wanted);
}

void Cache::begin(Exchange& exchange, Next next, const Inquiry& inquiry, FillPtr fill, ObjectPtr stored,
                  std::shared_ptr<Handover> handover, Shelf::Refresh refresh) const {
  const auto mark = exchange.mark(0);
  auto lead = std::make_unique<Lead>(parts_, exchange.detach(mark),
                                     Lead::Order{.fill = std::move(fill),
                                                 .key = std::string(inquiry.text.whole),
                                                 .url_size = inquiry.text.url.size(),
                                                 .hash = inquiry.key.hash,
                                                 .asked = inquiry.asked,
                                                 .stored = std::move(stored),
                                                 .handover = std::move(handover),
                                                 .refresh = std::move(refresh)});
  exchange.worker.background->spawn(carry_out(std::move(lead), next));
}

/// A refresh has no client who waits, and whose leaving could end it: so their number is bounded. One that may not
/// begin is left to a later request.
void Cache::refresh(Exchange& exchange, Next next, const Inquiry& inquiry, const ObjectPtr& stored) const {
  if (!inquiry.may_store) return;
  auto refresh = parts_.shelf->begin_refresh(stored, network_of(exchange.client.ip, exchange.arena()));
  if (!refresh) {
    if (refresh.error() == Shelf::NoRefresh::too_many) parts_.refused_refreshes.add();
    return;
  }
  auto joined =
      parts_.shelf->join(inquiry.key, exchange.request.headers, exchange.arena(), want(exchange, inquiry, stored, 0));
  if (joined.leads) begin(exchange, next, inquiry, std::move(joined.fill), stored, nullptr, std::move(*refresh));
}

Task<std::optional<Fill::Outcome>> Cache::until_settled(Exchange& exchange, Fill& fill, Role role,
                                                        Time deadline) const {
  for (;;) {
    const auto seen = fill.changed.count();
    if (auto outcome = fill.outcome()) co_return outcome;
    if (role == Role::waiter && fill.is_dismissed()) co_return Fill::Outcome{.kind = Fill::Outcome::Kind::failed};
    if (!co_await fill.changed.news(exchange.loop(), seen, deadline)) co_return std::nullopt;
  }
}

/// What one fill came to, for one request.
Cache::Step Cache::step(Exchange& exchange, const Inquiry& inquiry, const Shelf::Found& found, const Company& company,
                        CacheStatus& status) const {
  using Kind = Fill::Outcome::Kind;
  const auto& outcome = *company.outcome;
  if (outcome.status != 0) status.forward_status = outcome.status;
  const auto can_stand_in = [&](const ObjectPtr& object) {
    if (!object || !stand_in(exchange, object, inquiry)) return false;
    if (company.given) exchange.answered_for(company.given->exchange.replaced(exchange.arena()));
    return true;
  };
  switch (outcome.kind) {
    case Kind::object: {
      const bool is_for_it =
          company.leads || outcome.object->selection.matches(exchange.request.headers, exchange.arena());
      if (!is_for_it) return Step::again;
      const bool is_older = outcome.is_from_store && !company.leads;
      if (is_older && use_of(*outcome.object, inquiry.asked, exchange.loop().now()) == Use::after_validation)
        return Step::alone;
      return reply(exchange, outcome.object) ? Step::answered : Step::alone;
    }
    case Kind::uncacheable: {
      const bool has_part = exchange.request.headers.has(http::Field::range);  // what came is the whole
      return company.leads && !has_part ? Step::conclude : Step::alone;
    }
    case Kind::failed:
      if (!company.leads) return Step::again;  // it may be the fault of the client that asked
      return can_stand_in(found.object) || can_stand_in(outcome.object) ? Step::over : Step::conclude;
  }
  return Step::alone;
}

Task<> Cache::fetch(Exchange& exchange, Next next, const Inquiry& inquiry, Shelf::Found found) const {
  const Time now = exchange.loop().now();
  CacheStatus status{.forward = why_forwarded(found, now)};
  Company company{.until = std::min(exchange.attempt_deadline(), now + collapse_.wait)};
  for (int turn = 0; turn < kMostTurns;) {
    co_await accompany(exchange, next, inquiry, found.object, company);
    status.is_collapsed = !company.leads;
    if (company.has_come) {  // while this one was on its way here
      found = look(exchange, inquiry);
      const bool is_good = found.object && use_of(*found.object, inquiry.asked, exchange.loop().now()) == Use::as_it_is;
      if (is_good && reply_stored(exchange, found.object, {})) co_return;
      ++turn;
      continue;
    }
    if (!company.outcome) {
      if (exchange.loop().now() < exchange.attempt_deadline()) break;
      exchange.fail({ErrorCode::response_timeout, Side::upstream, "no answer within the time for one"});
      co_return finish(exchange, status, CacheOutcome::miss);
    }
    if (company.leads && is_due(*company.outcome, inquiry.asked, exchange.loop().now()))
      refresh(exchange, next, inquiry, company.outcome->object);
    switch (step(exchange, inquiry, found, company, status)) {
      case Step::over: co_return;
      case Step::answered:
        for (const auto& field : company.own) exchange.response.head.headers.add(field.name, field.value, field.field);
        co_return finish_fetched(exchange, company, status);
      case Step::conclude: co_return conclude(exchange, company, found.object, status);
      case Step::again: break;
      case Step::alone: turn = kMostTurns;
    }
    if (company.outcome->kind == Fill::Outcome::Kind::failed) ++company.failures;
    else ++turn;
  }
  status.is_collapsed = false;
  company.given.reset();
  company.attendee = {};
  co_await next(exchange);
  if (found.object && has_failed(exchange) && stand_in(exchange, found.object, inquiry)) co_return;
  finish_passed(exchange, status);
}

/// Waits for a fill, as its leader or not. No outcome: it has taken too long.
Task<> Cache::accompany(Exchange& exchange, Next next, const Inquiry& inquiry, const ObjectPtr& stored,
                        Company& company) const {
  auto joined = join(exchange, inquiry, stored, company.failures);
  company.attendee = std::move(joined.attendee);
  company.leads = joined.leads;
  company.outcome.reset();
  company.has_come = joined.object != nullptr;
  if (company.has_come) co_return;
  auto handover = joined.leads ? std::make_shared<Handover>(exchange) : nullptr;
  const Leave leave(handover);
  if (joined.leads) begin(exchange, next, inquiry, joined.fill, stored, handover, {});
  const auto role = joined.leads ? Role::leader : Role::waiter;
  const Time deadline = joined.leads ? exchange.attempt_deadline() : company.until;
  company.outcome = co_await until_settled(exchange, *joined.fill, role, deadline);
  company.is_kept = joined.fill->is_kept;
  if (!handover) co_return;
  company.given = handover->take();
  company.own = handover->own();
}

void Cache::finish_fetched(Exchange& exchange, const Company& company, CacheStatus status) const {
  const auto& outcome = *company.outcome;
  if (outcome.is_from_store) {
    const Time now = exchange.loop().now();
    const bool is_stale = !outcome.object->is_fresh(now);
    if (is_stale) exchange.record.raise(Flag::ST);
    outcomes_.served(outcome.object->age(now));
    return finish(exchange, {.ttl = outcome.object->ttl(now), .detail = is_stale ? "stale-while-revalidate" : "shared"},
                  is_stale ? CacheOutcome::stale : CacheOutcome::hit);
  }
  status.is_stored = company.is_kept;
  const auto came = outcome.was_validated ? CacheOutcome::revalidated : CacheOutcome::miss;
  finish(exchange, status, status.is_collapsed ? CacheOutcome::collapsed : came);
}

/// With what isn't kept, or with a failure: the leader's own.
void Cache::conclude(Exchange& exchange, Company& company, const ObjectPtr& stored, CacheStatus status) const {
  const auto& outcome = *company.outcome;
  const bool is_refused = outcome.error && outcome.error->side == Side::client;
  if (stored && stored->terms.must_revalidate && outcome.error && !is_refused) {  // RFC 9111 section 5.2.2.2
    exchange.fail({ErrorCode::not_revalidated, Side::upstream, "what is stored may not be used without the origin"});
  } else if (company.given) {
    exchange.adopt(std::move(company.given));
  } else {
    exchange.fail(outcome.error.value_or(kNothingCame));
  }
  status.detail = outcome.why;
  parts_.policy.hide(exchange.response.head.headers);
  finish(exchange, status, CacheOutcome::miss);
}

bool Cache::stand_in(Exchange& exchange, const ObjectPtr& object, const Inquiry& inquiry) const {
  if (!may_stand_in(*object, inquiry.asked, exchange.loop().now())) return false;
  if (!reply_stored(exchange, object, {.detail = "stale-if-error"})) return false;
  exchange.response.head.headers.set(kDegraded, kDegradedStale);
  return true;
}

}  // namespace weir::plugins
