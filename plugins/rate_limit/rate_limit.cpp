#include "plugins/rate_limit/rate_limit.h"

#include <algorithm>

#include "async/sleep.h"
#include "base/arena_text.h"
#include "exchange/client_networks.h"
#include "exchange/error_response.h"
#include "exchange/gate.h"

namespace weir::plugins {

namespace {

using namespace std::chrono_literals;

static_assert(store::kMostLimits < FairShare::kMostKeys);  // and the client

/// The limits' names in the store: the filter's, and behind it each one's own, if there are several. Those whose keys
/// differ are kept together by the filter's name.
Duration longest_delay(const RateLimitSettings& settings) {
  return settings.mode == Mode::throttle ? settings.max_delay : Duration{};
}

std::vector<RateQuota> compile(const RateLimitSettings& settings, const std::string& scope) {
  const auto all = quotas_of(settings);
  const bool has_one_key =
      std::ranges::all_of(all, [&](const auto& quota) { return quota.key.text() == all.front().key.text(); });
  std::vector<RateQuota> quotas;
  for (const auto& quota : all) {
    quotas.emplace_back(quota, settings.limits.empty() ? scope : scope + "." + *quota.name, has_one_key ? "" : scope,
                        longest_delay(settings));
  }
  return quotas;
}

/// The policies that refuse, as they stand in the answer.
std::string_view violated(Exchange& exchange, std::span<const RateQuota> quotas, const store::Decision& decision) {
  ArenaText names(exchange.arena());
  for (size_t i = 0; i < quotas.size(); ++i) {
    if (decision.quotas[i].allowed) continue;
    names << (names.empty() ? "" : ", ") << quotas[i].policy();
  }
  return names.text();
}

bool is_beyond(const store::Decision& decision) {
  return std::ranges::any_of(decision.quotas, &store::Quota::is_beyond);
}

/// Unused tokens are kept for as long as the limit would take to give them anew.
Time end_of_lease(Time now, std::span<const RateQuota> quotas, const store::Decision& decision, uint64_t tokens) {
  Duration keep = Duration::max();
  for (size_t i = 0; i < quotas.size(); ++i) {
    const bool is_even = quotas[i].limit().algorithm == store::Limit::Algorithm::gcra;
    const Duration anew = quotas[i].interval() * static_cast<int64_t>(tokens);
    keep = std::min(keep, is_even ? std::max<Duration>(anew, 1s) : decision.quotas[i].reset_after);
  }
  return now + keep;
}

std::string_view joined_keys(Arena& arena, std::span<const store::Take> takes) {
  if (takes.size() == 1) return takes.front().key;
  ArenaText keys(arena);
  for (const auto& take : takes) {
    const auto size = static_cast<uint32_t>(take.key.size());  // before the key, which may have any byte
    keys << std::string_view(reinterpret_cast<const char*>(&size), sizeof size) << take.key;
  }
  return keys.text();
}

}  // namespace

RateLimit::RateLimit(const RateLimitSettings& settings, const FilterContext::Scope& scope, FilterContext& context)
    : quotas_(compile(settings, scope.state)),
      by_("rate_limit " + scope.label),
      mode_(settings.mode),
      on_store_failure_(settings.on_store_failure.value_or(context.on_store_failure)),
      fields_(quotas_, settings.headers),
      exempt_(settings.exempt),
      max_delay_(plugins::longest_delay(settings)),
      max_waiting_(settings.max_waiting),
      lease_(*settings.lease),
      held_(context.metrics.hold({{"", {{"route", context.route}, {"limiter", scope.label}}}})),
      decisions_(context.metrics, context.route, scope.label),
      left_out_(context.metrics.counter(
          "rate_limit_local_keys", "Requests with a new key that Redis had no room for: counted by this instance alone",
          {{"route", context.route}, {"limiter", scope.label}})),
      delayed_now_(context.metrics.gauge("rate_limit_delayed_requests", "Requests that a rate limit is delaying",
                                         {{"route", context.route}, {"limiter", scope.label}})),
      waiting_room_(mode_ == Mode::throttle ? context.process_state<FairShare>("rate_limit " + scope.state, {})
                                            : nullptr),
      leases_(lease_ > 1 ? context.worker_state<Leases>("rate_limit " + scope.state, {}) : nullptr) {}

Task<> RateLimit::handle(Exchange& exchange, Next next) const {
  if (exempt_.has(exchange, quotas_)) {
    decisions_.count(RateDecision::exempt);
    co_return co_await next(exchange);
  }
  Takes takes = takes_of(quotas_, exchange, longest_delay(exchange));
  auto seat = waiting_room_ ? this->seat(exchange, takes) : FairShare::Place();
  if (waiting_room_ && !seat) takes = takes_of(quotas_, exchange, 0s);
  auto decision = co_await take(exchange, takes);
  if (decision && decision->is_partial) decision = co_await take_left_out(exchange, takes, *decision);
  const bool is_admitted = decision && decision->allowed;
  const size_t slow = is_admitted ? slowest(*decision) : 0;
  const Duration wait = is_admitted ? quotas_[slow].delay(decision->quotas[slow]) : 0s;
  if (wait > 0s) seat.keep_only(1 + slow);
  else seat.leave();
  if (!decision) co_return co_await handle_without_store(exchange, next, takes);
  if (mode_ == Mode::shadow) {
    watch(exchange, *decision);
    co_return co_await next(exchange);
  }
  if (!decision->allowed) {
    decisions_.count(is_beyond(*decision) ? RateDecision::beyond : RateDecision::refused);
    refuse(exchange, *decision);
    co_return fields_.add(exchange, quotas_, *decision);
  }
  const Time turn = exchange.loop().now() + wait;
  decisions_.count(wait > 0s ? RateDecision::delayed : RateDecision::allowed);
  // The store's answer may have taken long, and a timer fires late.
  if (wait > 0s && turn < exchange.attempt_deadline()) co_await delay(exchange, wait);
  seat.leave();
  const bool is_late = wait > 0s && std::max(turn, exchange.loop().now()) >= exchange.attempt_deadline();
  if (is_late) co_return refuse_late(exchange, wait);
  co_await next(exchange);
  fields_.add(exchange, quotas_, *decision);
}

/// No longer than the exchange has left: what could only be sent after its deadline is refused, and takes nothing.
Duration RateLimit::longest_delay(const Exchange& exchange) const {
  if (mode_ != Mode::throttle) return 0s;
  const Time deadline = exchange.attempt_deadline();
  const Time now = exchange.worker.loop.now();
  if (deadline == Time::max()) return max_delay_;
  return std::clamp<Duration>(deadline - now - Duration(1), 0s, max_delay_);
}

Task<Result<store::Decision>> RateLimit::take(Exchange& exchange, Takes takes) const {
  if (lease_ > 1) return take_leased(exchange, takes);
  return exchange.worker.store.take({exchange.arena()}, takes);
}

Task<Result<store::Decision>> RateLimit::take_leased(Exchange& exchange, Takes takes) const {
  auto& arena = exchange.arena();
  auto& shared = exchange.worker.store;
  auto& leases = leases_->of(exchange.worker.index);
  const auto key = joined_keys(arena, takes);
  const uint64_t cost = std::ranges::max_element(takes, {}, &store::Take::cost)->cost;  // the same of each quota
  if (auto decision = leases.use(arena, key, cost, exchange.loop().now())) co_return *decision;
  const bool fits = cost <= lease_ && leases.has_room_for(key, exchange.loop().now());
  if (!fits) co_return co_await shared.take({arena}, takes);

  const size_t bytes = takes.size() * sizeof(store::Take);
  auto* const more = static_cast<store::Take*>(arena.bump(bytes, alignof(store::Take)));
  for (size_t i = 0; i < takes.size(); ++i)
    new (more + i) store::Take{takes[i].limit, takes[i].key, lease_, takes[i].client};
  const Takes ahead(more, takes.size());
  const auto decision = co_await shared.take({arena}, ahead);
  if (!decision) co_return decision;
  if (!decision->allowed) co_return co_await shared.take({arena}, takes);  // perhaps there are a few
  if (decision->is_partial) co_return *decision;
  const Time now = exchange.loop().now();
  leases.add(key, *decision, lease_, now, end_of_lease(now, quotas_, *decision, lease_));
  co_return leases.use(arena, key, cost, now).value_or(*decision);
}

/// Quotas whose keys are new to a store without room for them: this process decides, out of its part of each. What the
/// shared store has counted stays counted.
Task<Result<store::Decision>> RateLimit::take_left_out(Exchange& exchange, Takes takes,
                                                       store::Decision decision) const {
  left_out_.add();
  const auto instances = exchange.worker.store.instances();
  auto& arena = exchange.arena();
  const auto limits = arena.make_list<store::Limit>(takes.size());
  auto* const first = static_cast<store::Take*>(arena.bump(takes.size_bytes(), alignof(store::Take)));
  size_t count = 0;
  for (size_t i = 0; i < takes.size(); ++i) {
    if (!decision.quotas[i].is_left_out) continue;
    limits[count] = quotas_[i].part(instances, takes[i].cost);
    new (first + count) store::Take{limits[count], takes[i].key, takes[i].cost, takes[i].client};
    ++count;
  }
  const auto parts = co_await exchange.worker.local_store.take({arena}, Takes(first, count));
  if (!parts) co_return parts;
  const auto* part = parts->quotas.data();
  for (auto& quota : decision.quotas) {
    if (quota.is_left_out) quota = *part++;
  }
  decision.allowed &= parts->allowed;
  co_return decision;
}

void RateLimit::watch(Exchange& exchange, const store::Decision& decision) const {
  decisions_.count(decision.allowed ? RateDecision::allowed : RateDecision::would_refuse);
  if (!decision.allowed) exchange.record.raise(Flag::RL);
}

/// The quota for which an admitted request waits longest.
size_t RateLimit::slowest(const store::Decision& decision) const {
  size_t slowest = 0;
  for (size_t i = 1; i < quotas_.size(); ++i) {
    if (quotas_[i].delay(decision.quotas[i]) > quotas_[slowest].delay(decision.quotas[slowest])) slowest = i;
  }
  return slowest;
}

/// A place in the waiting room; none when a quota's key, or the client, who may invent keys, has its share of the
/// places already: then the request may not wait. A request that is on its way to the store has a place, too, since it
/// may have to wait.
FairShare::Place RateLimit::seat(Exchange& exchange, Takes takes) const {
  auto& arena = exchange.arena();
  auto seat = waiting_room_->enter(network_of(exchange.client.ip, arena), max_waiting_);  // no limit's key is a network
  for (const auto& take : takes) seat.count_for(take.key);
  return seat;
}

Task<> RateLimit::delay(Exchange& exchange, Duration time) const {
  const Presence presence(delayed_now_);
  exchange.record.raise(Flag::RL);
  exchange.tell_delay();
  co_await sleep_for(exchange.loop(), time);
}

/// Its turn comes after its deadline. `wait`: until a request of this client's would have its turn.
void RateLimit::refuse_late(Exchange& exchange, Duration wait) const {
  fail_for(exchange, {ErrorCode::rate_limited, Side::client, "the turn would come after the request's deadline"}, wait);
  exchange.facts.set(kViolatedPolicies, quotas_.front().policy());
}

void RateLimit::refuse(Exchange& exchange, const store::Decision& decision) const {
  const auto names = violated(exchange, quotas_, decision);
  const bool never = is_beyond(decision);
  exchange.fail({never ? ErrorCode::beyond_limit : ErrorCode::rate_limited, Side::client,
                 exchange.arena().concat({never ? "asks for more than there ever is of: " : "used up: ", names}),
                 RetrySafe::no, by_});
  exchange.facts.set(kViolatedPolicies, names);
  QuotaFields::add_retry_after(exchange, quotas_, decision);
}

Task<> RateLimit::handle_without_store(Exchange& exchange, Next next, Takes takes) const {
  exchange.record.raise(Flag::SD);
  if (mode_ == Mode::shadow || on_store_failure_ == store::OnFailure::allow) {
    decisions_.count(RateDecision::store_failed);
    co_return co_await next(exchange);
  }
  if (on_store_failure_ == store::OnFailure::local) co_return co_await handle_locally(exchange, next, takes);
  decisions_.count(RateDecision::store_denied);
  exchange.fail({ErrorCode::store_unavailable, Side::self, "the store is gone, so the limit can't be counted",
                 RetrySafe::no, by_});
}

Task<> RateLimit::handle_locally(Exchange& exchange, Next next, Takes takes) const {
  const auto instances = exchange.worker.store.instances();
  auto& arena = exchange.arena();
  const auto limits = arena.make_list<store::Limit>(takes.size());
  auto* const first = static_cast<store::Take*>(arena.bump(takes.size_bytes(), alignof(store::Take)));
  for (size_t i = 0; i < takes.size(); ++i) {
    limits[i] = quotas_[i].share(instances, takes[i].cost);
    new (first + i) store::Take{limits[i], takes[i].key, takes[i].cost, takes[i].client};
  }
  const Takes shares(first, takes.size());
  const auto decision = co_await exchange.worker.local_store.take({arena}, shares);
  const bool is_refused = decision && !decision->allowed;
  decisions_.count(is_refused ? RateDecision::local_refused : RateDecision::local_allowed);
  if (!is_refused) co_return co_await next(exchange);
  refuse(exchange, *decision);
}

namespace {

const char* name_of(store::Limit::Algorithm algorithm) {
  switch (algorithm) {
    case store::Limit::Algorithm::gcra: return "gcra";
    case store::Limit::Algorithm::sliding_window: return "sliding_window";
    case store::Limit::Algorithm::sliding_log: return "sliding_log";
    case store::Limit::Algorithm::fixed_window: return "fixed_window";
  }
  return "";
}

std::string numbers_of(const RateLimitSettings& settings, const QuotaSettings& quota) {
  const auto limit = limit_of(quota, "");
  const Duration delay = longest_delay(settings);
  auto text = "rate: " + format(**quota.rate) + ", algorithm: " + name_of(limit.algorithm);
  if (limit.algorithm == store::Limit::Algorithm::gcra) text += ", burst: " + std::to_string(limit.burst);
  return delay > Duration{} ? text + ", mode: throttle, max_delay: " + format(delay) : text;
}

/// Limits of one name are one, so they count by the same numbers.
void agree(const RateLimitSettings& settings, const std::string& scope, FilterContext& context) {
  if (!context.agreed) return;
  for (const auto& quota : quotas_of(settings)) {
    const auto name = settings.limits.empty() ? scope : scope + "." + *quota.name;
    const auto numbers = numbers_of(settings, quota);
    const auto& others = context.agreed->try_emplace("rate_limit " + name, numbers).first->second;
    if (others == numbers) continue;
    context.problems.add(quota.rate->at, "a limit called '" + name + "' has other numbers on another route",
                         "write the same there and here (" + others + "), or give it a name of its own");
  }
}

}  // namespace

config::Tag<FilterFactory> rate_limit_filter() {
  return filter_tag<RateLimitSettings>(
      "rate_limit", "lets each client (or other key) have so many requests in so long",
      [](const RateLimitSettings& settings, const config::Location& at,
         FilterContext& context) -> std::shared_ptr<const Filter> {
        const auto& name = settings.quota.name;
        const auto scope = context.scope(at, *name);
        warn_behind_cache(at, context);
        agree(settings, scope.state, context);
        if (context.names.insert("rate_limit " + scope.state).second) {
          return std::make_shared<const RateLimit>(settings, scope, context);
        }
        context.problems.add(name->empty() ? at : name.at, "two limits of one route are called '" + scope.label + "'",
                             "give each a name of its own");
        return nullptr;
      });
}

}  // namespace weir::plugins
