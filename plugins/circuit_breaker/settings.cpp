#include "plugins/circuit_breaker/settings.h"

#include <algorithm>

namespace weir::plugins {

static auto choices(UpstreamBreakerSettings::Scope*) {
  using Scope = UpstreamBreakerSettings::Scope;
  return std::array{config::Choice<Scope>{"upstream", Scope::upstream},
                    config::Choice<Scope>{"endpoint", Scope::endpoint}};
}

namespace {

bool is_failure(const BreakerSettings& settings, uint16_t status) {
  return std::ranges::find(settings.statuses, status) != settings.statuses.end();
}

void decode_breaker(config::Reader& r, BreakerSettings& out) {
  using std::chrono::milliseconds;
  r.optional("failure_ratio", out.failure_ratio, "this share of failures within the window opens the circuit",
             config::in_range(0.01, 1.0));
  r.optional("slow", out.slow, "left out: an answer is never too slow");
  r.optional("min_requests", out.min_requests, "with fewer in the window the circuit stays closed",
             config::at_least(1));
  r.optional("window", out.window, "how far back attempts count",
             config::in_range(Duration(milliseconds(100)), Duration(std::chrono::hours(1))));
  r.optional("open", out.open, "how long all is refused at first; twice as long each time that a probe fails, ±10%",
             config::at_least(Duration(milliseconds(10))));
  r.optional("max_open", out.max_open, "and never longer than this", config::at_least(Duration(milliseconds(10))));
  r.optional("half_open_requests", out.half_open_requests, "probes under way at a time, then",
             config::in_range(1.0, 10000.0));
  r.optional("half_open_successes", out.half_open_successes, "probes in a row that close the circuit",
             config::in_range(1.0, 200.0));
  r.optional("statuses", out.statuses, "which are failures, besides answers that don't come or break off; [] = none",
             config::in_range(400.0, 599.0));
  r.optional("shared", out.shared,
             "when it opens, circuits of this name in instances with the same store let only probes through");
  if (r.is_describing() || r.failed() || out.open <= out.max_open) return;
  r.problem_at("open", "'" + format(out.open) + "' is longer than max_open, " + format(out.max_open),
               "write a shorter open, or a longer max_open");
}

Verdict judge_attempt(const BreakerSettings& settings, const Finish& finish) {
  switch (finish.outcome) {
    case Outcome::pending:
    case Outcome::abandoned: return Verdict::neutral;
    case Outcome::unable: return Verdict::withdrawn;
    case Outcome::refused:
    case Outcome::timed_out:
    case Outcome::broken: return Verdict::failure;
    case Outcome::answered: break;
  }
  if (is_failure(settings, finish.status)) return Verdict::failure;
  if (finish.status == 408 || finish.status == 429) return Verdict::neutral;
  if (finish.status >= 400) return Verdict::sign_of_life;
  return settings.slow && finish.took > settings.slow->after ? Verdict::slow : Verdict::success;
}

}  // namespace

Verdict judge(const BreakerSettings& settings, const Finish& finish) {
  const Verdict verdict = judge_attempt(settings, finish);
  const bool is_bad = verdict == Verdict::failure || verdict == Verdict::slow;
  return is_bad && finish.is_spared ? Verdict::withdrawn : verdict;
}

bool UpstreamBreakerSettings::covers(Scope what) const { return std::ranges::find(scope, what) != scope.end(); }

void decode(config::Reader& r, SlowAnswers& out) {
  r.required("after", out.after, "a response's head that takes longer is slow", config::at_least(Duration(1)));
  r.optional("ratio", out.ratio, "this share of slow answers within the window opens the circuit",
             config::in_range(0.01, 1.0));
}

void decode(config::Reader& r, UpstreamBreakerSettings& out) {
  decode_breaker(r, out.breaker);
  r.optional("scope", out.scope, "one for the upstream as a whole, one for each of its endpoints, or both",
             config::non_empty, config::list_of_one);
}

void decode(config::Reader& r, RouteBreakerSettings& out) {
  decode_breaker(r, out.breaker);
  r.optional("name", out.name, "what metrics and the admin API call it; the route's when left out", config::non_empty,
             config::names);
}

}  // namespace weir::plugins
