#include "plugins/hedge/hedge.h"

#include "async/event.h"
#include "async/sleep.h"
#include "exchange/child.h"
#include "exchange/client_networks.h"

// The first run is the exchange itself, so that a request that isn't hedged costs next to nothing; the second is a fork
// of it, made when the time has come.

namespace weir::plugins {

namespace {

bool is_acceptable(const Exchange& exchange) {
  const auto status = exchange.response.head.status;
  return !exchange.failure && status != 0 && status < 500;
}

/// One run of the rest of the chain; `over` is told of its end.
Task<> run(Exchange& exchange, Next next, Signal& over) {
  try {
    co_await next(exchange);
  } catch (...) {
    over.notify();
    throw;
  }
  over.notify();
}

Task<> wake(Exchange& exchange, Duration after, Signal& over) {
  co_await sleep_for(exchange.loop(), after);
  over.notify();
}

}  // namespace

/// What a second run came to, counted when it goes.
class Hedge::Count {
 public:
  explicit Count(const Hedge& hedge) : hedge_(hedge) {}
  Count(const Count&) = delete;
  Count& operator=(const Count&) = delete;
  ~Count() { hedge_.counter(outcome).add(); }

  const char* outcome = "abandoned";

 private:
  const Hedge& hedge_;
};

Hedge::Hedge(HedgeSettings settings, std::string route, std::shared_ptr<Budget> budget,
             std::shared_ptr<TailLatency> latency, FilterMetrics& metrics)
    : settings_(std::move(settings)),
      route_(std::move(route)),
      budget_(std::move(budget)),
      latency_(std::move(latency)),
      metrics_(metrics) {}

std::optional<Duration> Hedge::delay() const {
  if (settings_.after) return settings_.after;
  const auto usual = latency_->p95();
  return usual ? std::optional(std::max(*usual, settings_.min)) : std::nullopt;
}

Task<> Hedge::handle(Exchange& exchange, Next next) const {
  const bool is_tunnel = !exchange.request.protocol.empty();
  if (is_tunnel || !http::is_safe(exchange.request.method)) co_return co_await next(exchange);
  const Time started = exchange.loop().now();
  const size_t first = exchange.attempts.size();
  const auto place = budget_->enter(started);
  if (const auto after = delay()) {
    co_await race(exchange, next, *after);
  } else {
    co_await next(exchange);
  }
  if (!is_acceptable(exchange)) co_return;
  // How long the client waited for the first run, at least: one that was cut off has taken longer. What the client took
  // to send its body is not the endpoint's.
  const Time now = exchange.loop().now();
  const bool was_sent = exchange.attempts.size() > first;
  latency_->observe(now - started - (was_sent ? exchange.attempts[first].body_time(now) : Duration{}));
}

Task<> Hedge::race(Exchange& exchange, Next next, Duration delay) const {
  const auto mark = exchange.mark(settings_.body.count);
  const Time answer_by = exchange.answer_by;  // a retry within the first run sets one for its try
  const Duration answer_within = exchange.answer_within;
  Signal over(exchange.loop());
  auto first = run(exchange, next, over);
  if (first.start()) co_return first.take();
  auto alarm = wake(exchange, delay, over);
  alarm.start();
  while (!first.is_done() && !alarm.is_done()) co_await over.wait();
  FairShare::Place leave;
  Exchange::ChildPtr child = first.is_done() ? nullptr : second(exchange, mark, leave);
  if (!child) {
    while (!first.is_done()) co_await over.wait();
    co_return first.take();
  }

  child->exchange.answer_by = answer_by;
  child->exchange.answer_within = answer_within;
  Count count(*this);
  auto other = run(child->exchange, next, over);
  other.start();
  const auto first_answers = [&] { return first.is_done() && is_acceptable(exchange); };
  const auto other_answers = [&] { return other.is_done() && is_acceptable(child->exchange); };
  while (!first_answers() && !other_answers() && !(first.is_done() && other.is_done())) {
    if (other.is_done()) leave.leave();
    co_await over.wait();
  }
  if (first_answers() || !other_answers()) {
    count.outcome = other.is_done() ? "failed" : "lost";
    co_return first.take();
  }
  count.outcome = "won";
  first.reset();
  other.take();
  other.reset();
  exchange.answer_by = answer_by;
  exchange.answer_within = answer_within;
  (void)exchange.rewind(mark);
  exchange.adopt(std::move(child));
}

/// A fork that goes to another endpoint; null when it may not, or can't.
Exchange::ChildPtr Hedge::second(Exchange& exchange, const Exchange::Mark& mark, FairShare::Place& leave) const {
  if (!exchange.is_whole(mark)) {  // before the budget: a client that holds its body back holds no place
    counter("body").add();
    return nullptr;
  }
  leave = budget_->spend(exchange.loop().now(), network_of(exchange.client.ip, exchange.arena()));
  if (!leave) {
    counter("budget").add();
    return nullptr;
  }
  auto child = exchange.fork(mark);
  child->exchange.destination.is_only_untried = true;
  return child;
}

SharedCount& Hedge::counter(const char* outcome) const {
  return metrics_.counter("hedges", "Requests that were slow enough for a second attempt, by what became of that",
                          {{"route", route_}, {"outcome", outcome}});
}

void decode(config::Reader& r, HedgeBudgetSettings& settings) {
  auto& limits = settings.limits;
  r.shorthand("ratio");
  r.optional("ratio", limits.ratio,
             "second attempts, as a share of the route's requests: within the window, and at once");
  r.optional("min", limits.min, "second attempts that each window has anyway", config::in_range(0, 1'000'000));
  r.optional("concurrent", limits.concurrent, "second attempts that may run at once anyway",
             config::in_range(1, 1'000'000));
  r.optional("window", limits.window, "what the share is counted over",
             config::in_range<Duration>(std::chrono::seconds(1), std::chrono::minutes(10)));
}

void decode(config::Reader& r, HedgeSettings& settings) {
  r.shorthand("after");
  r.optional("after", settings.after, "how long the first attempt may be without an answer; p95: as 95% of the route's",
             config::or_word("p95"), config::at_least(std::chrono::milliseconds(1)));
  r.optional("min", settings.min, "at least so long, with p95", config::at_least(std::chrono::milliseconds(1)));
  r.optional("body", settings.body, "the largest request body that is kept for the second attempt",
             config::at_most(Bytes{16 * 1024 * 1024}));
  r.optional("budget", settings.budget, "what second attempts may add to the route's load");
}

config::Tag<FilterFactory> hedge_filter() {
  return filter_tag<HedgeSettings>(
      "hedge", "asks a second endpoint when the first is slow, and takes the quicker answer",
      [](const HedgeSettings& settings, const config::Location& at, FilterContext& context) {
        if (context.is_before("cache")) {  // whose fill the second request would join
          context.problems.add(at, "a hedge in front of a cache has both its requests wait for the same answer",
                               "write the hedge after the cache");
        }
        return std::make_shared<const Hedge>(
            settings, context.route,
            context.process_state<Budget>("hedge " + context.identity(), settings.budget.limits),
            context.process_state<TailLatency>("hedge " + context.identity(), {}), context.metrics);
      });
}

}  // namespace weir::plugins
