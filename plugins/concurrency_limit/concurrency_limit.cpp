#include "plugins/concurrency_limit/concurrency_limit.h"

#include <algorithm>

#include "exchange/client_networks.h"
#include "exchange/error_response.h"
#include "plugins/concurrency_limit/held_body.h"

namespace weir::plugins {

namespace {

/// A place, and all that it takes to keep it.
struct Place {
  Places::Visit visit;
  Semaphore::Permit permit;
  Presence presence;
};

constexpr std::string_view kShareFull = "this client has its share of the queue; one client fills half of it at most";

std::string_view client_of(Exchange& exchange) { return network_of(exchange.client.ip, exchange.arena()); }

}  // namespace

ConcurrencyLimit::ConcurrencyLimit(const ConcurrencyLimitSettings& settings, const FilterContext::Scope& scope,
                                   FilterContext& context)
    : max_(settings.max),
      max_keys_(settings.max_keys),
      queue_(settings.queue),
      policy_(settings.name->empty() ? "default" : *settings.name),
      by_("concurrency_limit " + scope.label),
      places_(context.process_state<Places>("concurrency_limit " + scope.state, {})),
      held_(context.metrics.hold({{"", {{"route", context.route}, {"limiter", scope.label}}}})),
      in_flight_(context.metrics.gauge("concurrency_limit_in_flight", "Requests that hold a place",
                                       {{"route", context.route}, {"limiter", scope.label}})),
      queued_(context.metrics.gauge("concurrency_limit_queued", "Requests that wait for a place",
                                    {{"route", context.route}, {"limiter", scope.label}})),
      full_(context.metrics.counter("concurrency_limit_refused", "Requests that got no place",
                                    {{"route", context.route}, {"limiter", scope.label}, {"reason", "full"}})),
      timed_out_(
          context.metrics.counter("concurrency_limit_refused", "Requests that got no place",
                                  {{"route", context.route}, {"limiter", scope.label}, {"reason", "timed_out"}})) {
  using Status = ConcurrencyLimitSettings::Status;
  if (!settings.key.empty()) key_.emplace(settings.key);
  const auto status = settings.status.value_or(key_ ? Status::too_many_requests : Status::unavailable);
  refusal_ = status == Status::unavailable ? ErrorCode::concurrency_limit : ErrorCode::concurrency_limited;
}

Task<> ConcurrencyLimit::handle(Exchange& exchange, Next next) const {
  auto visit = key_ ? places_->enter(key_->of(exchange), max_, max_keys_, client_of(exchange)) : Places::Visit();
  if (key_ && !visit) co_return refuse(exchange, full_);
  Semaphore& semaphore = key_ ? visit.semaphore() : places_->whole(max_);
  auto permit = semaphore.try_acquire();
  if (!permit) {
    if (queue_.max == 0) co_return refuse(exchange, full_);
    auto waited = co_await wait(exchange, semaphore);
    if (!waited) {
      const bool is_share = waited.error().detail == kShareFull;
      co_return refuse(exchange, waited.error().code == ErrorCode::overflow ? full_ : timed_out_,
                       is_share ? kShareFull : std::string_view());
    }
    permit = std::move(*waited);
  }
  Place place{std::move(visit), std::move(*permit), Presence(in_flight_)};
  co_await next(exchange);
  auto& body = exchange.response.body;
  if (body && !exchange.failure) {
    body = make_in<HeldBody<Place>>(exchange.arena(), exchange.arena(), std::move(place), std::move(body));
  }
}

Task<Result<Semaphore::Permit>> ConcurrencyLimit::wait(Exchange& exchange, Semaphore& semaphore) const {
  const Presence presence(queued_);
  FairShare::Place seat;  // each key has a line of its own
  if (!key_ && !(seat = places_->line_up(client_of(exchange), queue_.max)))
    co_return fail(ErrorCode::overflow, Side::self, kShareFull, RetrySafe::yes);
  if (key_) exchange.tell_delay();
  auto& loop = exchange.loop();
  const Time until = std::min(loop.now() + queue_.timeout, exchange.attempt_deadline());
  co_return co_await semaphore.acquire(loop, queue_.max, until);
}

void ConcurrencyLimit::refuse(Exchange& exchange, SharedCount& cause, std::string_view why) const {
  cause.add();
  const Side whose = refusal_ == ErrorCode::concurrency_limit ? Side::self : Side::client;
  const std::string_view detail = !why.empty()            ? why
                                  : &cause == &timed_out_ ? "no place became free in time"
                                                          : "too many requests at once";
  exchange.fail({refusal_, whose, detail, RetrySafe::no, by_});
  exchange.facts.set(kViolatedPolicies, policy_);
}

/// Limits of one name are one, so they have the same numbers.
static void agree(const ConcurrencyLimitSettings& settings, const std::string& name, const config::Location& at,
                  FilterContext& context) {
  if (!context.agreed) return;
  const auto numbers = "max: " + std::to_string(settings.max) + ", max_keys: " + std::to_string(settings.max_keys);
  const auto& others = context.agreed->try_emplace("concurrency_limit " + name, numbers).first->second;
  if (others == numbers) return;
  context.problems.add(settings.name->empty() ? at : settings.name.at,
                       "a limit called '" + name + "' has other numbers on another route",
                       "write the same there and here (" + others + "), or give it a name of its own");
}

config::Tag<FilterFactory> concurrency_limit_filter() {
  return filter_tag<ConcurrencyLimitSettings>(
      "concurrency_limit", "lets so many requests be in flight at once",
      [](const ConcurrencyLimitSettings& settings, const config::Location& at,
         FilterContext& context) -> std::shared_ptr<const Filter> {
        const auto& name = settings.name;
        const auto scope = context.scope(at, *name);
        if (!settings.key.empty()) warn_behind_cache(at, context);
        agree(settings, scope.state, at, context);
        if (context.names.insert("concurrency_limit " + scope.state).second) {
          return std::make_shared<const ConcurrencyLimit>(settings, scope, context);
        }
        context.problems.add(name->empty() ? at : name.at, "two limits of one route are called '" + scope.label + "'",
                             "give each a name of its own");
        return nullptr;
      });
}

}  // namespace weir::plugins
