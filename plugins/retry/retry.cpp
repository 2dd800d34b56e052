#include "plugins/retry/retry.h"

#include "async/sleep.h"
#include "exchange/client_networks.h"
#include "exchange/decisions.h"
#include "plugins/retry/repeat.h"

namespace weir::plugins {

/// One retry, from when it is decided; counted when it is over, however it ends.
class Retry::Outcome {
 public:
  Outcome(const Retry& retry, std::string_view upstream, FairShare::Place place)
      : retry_(retry), upstream_(upstream), place_(std::move(place)) {
    retry_.under_way_.add();
  }
  Outcome(const Outcome&) = delete;
  Outcome& operator=(const Outcome&) = delete;
  ~Outcome() {
    retry_.under_way_.subtract();
    retry_.metrics_
        .counter("retries", "Tries after the first, by what became of them",
                 {{"route", retry_.route_}, {"upstream", std::string(upstream_)}, {"outcome", word_}})
        .add();
  }
  void is_over(bool has_failed) { word_ = has_failed ? "failure" : "success"; }

 private:
  const Retry& retry_;
  std::string_view upstream_;  // of the configuration
  FairShare::Place place_;     // in the budget; a retry of what has not been sent needs none
  const char* word_ = "abandoned";
};

Retry::Retry(RetrySettings settings, std::string route, std::shared_ptr<Budget> budget,
             std::shared_ptr<PerWorker<Backoff>> backoff, FilterMetrics& metrics)
    : settings_(std::move(settings)),
      route_(std::move(route)),
      budget_(std::move(budget)),
      backoff_(std::move(backoff)),
      metrics_(metrics),
      under_way_(metrics.gauge("retries_in_flight", "Retries under way, the wait before them included",
                               {{"route", route_}})) {}

Task<> Retry::handle(Exchange& exchange, Next next) const {
  if (!exchange.request.protocol.empty()) co_return co_await next(exchange);  // a tunnel's bytes can't be had again
  auto& loop = exchange.loop();
  const auto place = budget_->enter(loop.now());
  const auto mark = exchange.mark(settings_.body.count);
  const Time answer_by = exchange.answer_by;
  std::optional<Outcome> retry;
  for (uint32_t tried = 1;; ++tried) {
    if (settings_.per_try_timeout > Duration{}) {
      exchange.answer_by = std::min(answer_by, loop.now() + settings_.per_try_timeout);
      exchange.answer_within = settings_.per_try_timeout;
    }
    const size_t attempts = exchange.attempts.size();
    co_await next(exchange);
    exchange.answer_by = answer_by;
    const bool has_failed = is_worth_repeating(exchange, settings_);
    if (retry) retry->is_over(has_failed);
    retry.reset();
    if (!has_failed) co_return;

    const auto delay = delay_before(exchange, tried);
    if (!delay) co_return refuse(exchange, delay.error());
    if (!exchange.can_rewind(mark)) co_return refuse(exchange, Refusal::body);
    FairShare::Place leave;
    if (!found_no_connection(exchange, attempts)) {
      leave = budget_->spend(loop.now(), network_of(exchange.client.ip, exchange.arena()));
      if (!leave) co_return refuse(exchange, Refusal::budget);
    }
    // The client decides how long a try waits for the rest of its body: such a try counts in the window only.
    if (!exchange.is_whole(mark)) leave.leave();
    const auto status = exchange.response.head.status;
    (void)exchange.rewind(mark);
    decisions::retry(exchange, tried, *delay, status);
    retry.emplace(*this, exchange.destination.upstream, std::move(leave));
    co_await sleep_for(loop, *delay);
  }
}

std::expected<Duration, Retry::Refusal> Retry::delay_before(Exchange& exchange, uint32_t tried) const {
  if (tried == settings_.attempts) return std::unexpected(Refusal::attempts);
  Duration delay = backoff_->of(exchange.worker.index).after(tried);
  if (const auto asked = retry_after(exchange)) {
    if (*asked > settings_.retry_after_max) return std::unexpected(Refusal::retry_after);
    delay = *asked;
  }
  const Time deadline = exchange.attempt_deadline();
  if (deadline != Time::max() && deadline - exchange.loop().now() <= delay) return std::unexpected(Refusal::deadline);
  return delay;
}

/// The answer that there is stands.
void Retry::refuse(Exchange& exchange, Refusal refusal) const {
  static constexpr const char* kWords[] = {"attempts", "budget", "body", "deadline", "retry_after"};
  if (refusal == Refusal::attempts) exchange.record.raise(Flag::URX);
  if (refusal == Refusal::budget) exchange.record.raise(Flag::RBX);
  decisions::no_retry(exchange, kWords[static_cast<size_t>(refusal)]);
  metrics_
      .counter("retries_refused", "Failures that weren't tried again, by why",
               {{"route", route_},
                {"upstream", std::string(exchange.destination.upstream)},
                {"reason", kWords[static_cast<size_t>(refusal)]}})
      .add();
}

config::Tag<FilterFactory> retry_filter() {
  return filter_tag<RetrySettings>(
      "retry", "tries again what has failed, when that does no harm",
      [](const RetrySettings& settings, const config::Location& at, FilterContext& context) {
        if (settings.per_try_timeout > Duration{} &&
            context.is_before("cache")) {  // whose fill the next try would join
          context.problems.add(at, "a retry with per_try_timeout in front of a cache waits for the same answer again",
                               "write the retry after the cache, or leave per_try_timeout out");
        }
        return std::make_shared<const Retry>(
            settings, context.route,
            context.process_state<Budget>("retry " + context.identity(), settings.budget.limits),
            context.worker_state<Backoff>("retry " + context.identity(), settings.backoff), context.metrics);
      });
}

}  // namespace weir::plugins
