#include "plugins/fallback/fallback.h"

#include <algorithm>

#include "config/suggest.h"
#include "exchange/child.h"
#include "exchange/degraded.h"
#include "exchange/stored_only.h"

namespace weir::plugins {

namespace {

/// No attempt of it can have reached an application.
bool was_never_sent(const Exchange& exchange) {
  const auto& attempts = exchange.attempts;
  if (!exchange.failure) return false;
  // Weir's own refusals are of no attempt, and say nothing of one before.
  const size_t concerned = exchange.failure->side == Side::upstream ? 1 : 0;
  if (attempts.size() <= concerned && exchange.failure->retry == RetrySafe::yes) return true;
  for (size_t i = 0; i < attempts.size(); ++i) {
    if (attempts[i].outcome != Outcome::refused && attempts[i].outcome != Outcome::unable) return false;
  }
  return true;
}

/// RFC 9457, in place of a page of the upstream's.
void respond_problem(Exchange& exchange) {
  const auto status = exchange.response.head.status;
  const char digits[] = {static_cast<char>('0' + status / 100), static_cast<char>('0' + status / 10 % 10),
                         static_cast<char>('0' + status % 10)};
  const auto page = exchange.arena().concat({R"({"type":"about:blank","title":")",
                                             http::reason_of(status),
                                             R"(","status":)",
                                             {digits, sizeof digits},
                                             "}\n"});
  exchange.respond(status, "application/problem+json", page);
}

}  // namespace

Fallback::Fallback(const FallbackSettings& settings, std::string route, FilterMetrics& metrics)
    : non_idempotent_(settings.non_idempotent),
      body_(settings.body.count),
      header_(*settings.header),
      route_(std::move(route)),
      metrics_(metrics) {
  for (const auto& written : settings.to) {
    Step step{written.value, written.value.name(), written.name, {}};
    if (step.settings.on.empty()) step.settings.on = settings.on;
    if (step.settings.kind == FallbackStep::Kind::upstream) step.mark = *step.settings.upstream;
    step.within = std::to_string(std::chrono::floor<std::chrono::seconds>(step.settings.within).count());
    steps_.push_back(std::move(step));
  }
}

Task<> Fallback::handle(Exchange& exchange, Next next) const {
  if (!exchange.request.protocol.empty()) co_return co_await next(exchange);  // a tunnel's bytes can't be had again
  const auto mark = exchange.mark(body_);
  co_await next(exchange);
  const Step* taken = nullptr;
  for (const Step& step : steps_) {
    if (exchange.failure && exchange.failure->side == Side::client) break;
    const auto cause = step.settings.on.match(exchange);
    if (cause.empty()) continue;
    if (step.settings.kind == FallbackStep::Kind::stale) {
      if (!co_await answer_stored(exchange, next, mark, step)) continue;
      taken = &step;
      take(exchange, step, cause);
      break;
    }
    const bool is_upstream = step.settings.kind == FallbackStep::Kind::upstream;
    const auto replaced = exchange.replaced(exchange.arena());
    if (is_upstream && !(may_ask_another(exchange) && exchange.rewind(mark))) continue;
    taken = &step;
    take(exchange, step, cause);
    if (!is_upstream) answer(exchange, step.settings);
    exchange.answered_for(replaced);
    if (!is_upstream) break;
    exchange.destination.upstream = *step.settings.upstream;
    co_await next(exchange);
  }
  if (!taken) co_return;
  exchange.response.head.headers.set(header_, taken->mark);
  const bool is_stale = taken->settings.kind == FallbackStep::Kind::stale;
  exchange.response.head.headers.set(kDegraded, is_stale ? kDegradedStale : kDegradedFallback);
}

/// Beside the failure, which stands when the cache has nothing.
Task<bool> Fallback::answer_stored(Exchange& exchange, Next next, const Exchange::Mark& mark, const Step& step) const {
  const auto method = exchange.request.method;  // of others no cache has an answer
  if (method != http::Method::get && method != http::Method::head) co_return false;
  auto child = exchange.fork(mark);
  if (!child) co_return false;
  auto& asking = child->exchange;
  asking.facts.set(kCacheOutcome, {});
  asking.facts.set(kStoredOnly, step.within);
  co_await next(asking);
  const bool is_answered = !asking.failure && !asking.facts.get(kCacheOutcome).empty();
  asking.facts.set(kStoredOnly, {});
  // The failure goes first, and with it whatever child it came from: others' facts and attempts lie there.
  const auto replaced = exchange.replaced(exchange.arena());
  if (!is_answered || !exchange.rewind(mark)) co_return false;
  exchange.adopt(std::move(child));
  exchange.answered_for(replaced);
  co_return true;
}

bool Fallback::may_ask_another(const Exchange& exchange) const {
  if (exchange.worker.loop.now() >= exchange.attempt_deadline()) return false;
  return non_idempotent_ || http::is_idempotent(exchange.request.method) || was_never_sent(exchange);
}

void Fallback::answer(Exchange& exchange, const FallbackStep& step) const {
  if (step.kind == FallbackStep::Kind::respond) {
    const auto body = step.body.render(exchange);
    exchange.respond(step.status, body.empty() ? std::string_view() : step.content_type, body);
    for (const auto& field : step.headers) exchange.response.head.headers.set(field.name, field.value);
  } else if (!exchange.failure) {
    respond_problem(exchange);  // else its page comes anyway
  }
}

void Fallback::take(Exchange& exchange, const Step& step, std::string_view cause) const {
  exchange.record.raise(Flag::FB);
  metrics_
      .counter("fallbacks", "Failures that something was fallen back on for",
               {{"route", route_}, {"step", step.label}, {"cause", std::string(cause)}})
      .add();
}

config::Tag<FilterFactory> fallback_filter() {
  return filter_tag<FallbackSettings>(
      "fallback", "has the cache answer, asks another upstream, or answers by itself, when the route's own fails",
      [](const FallbackSettings& settings, const config::Location&, FilterContext& context) {
        for (const auto& step : settings.to) {
          const auto& upstream = step.value.upstream;
          if (step.value.kind == FallbackStep::Kind::stale && !context.is_before("cache")) {
            context.problems.add(step.at, "there is no cache behind this fallback",
                                 "add a cache to the route's filters, after the fallback");
          }
          if (step.value.kind != FallbackStep::Kind::upstream) continue;
          static const config::NameSet kNone;
          const auto& known = context.upstreams ? *context.upstreams : kNone;
          config::check_known("upstream", *upstream, upstream.at, known, context.problems);
        }
        return std::make_shared<const Fallback>(settings, context.route, context.metrics);
      });
}

}  // namespace weir::plugins
