#include "plugins/retry/settings.h"

#include "http/message.h"
#include "http/syntax.h"

namespace weir::plugins {

namespace {

using config::at_least;
using config::in_range;

void check_methods(config::Reader& r, const std::vector<config::Located<std::string>>& methods, bool non_idempotent) {
  for (const auto& method : methods) {
    if (!http::is_token(*method)) {
      r.problems().add(method.at, "'" + *method + "' is not a method", "as in GET, PUT, PROPFIND");
    } else if (!non_idempotent && !http::is_idempotent(http::method_of(*method))) {
      r.problems().add(method.at, *method + " isn't safe to send twice",
                       "add 'non_idempotent: true' when the upstream takes no harm from a second one, or "
                       "'idempotency_key: true' when it tells them apart by Idempotency-Key");
    }
  }
}

}  // namespace

void decode(config::Reader& r, BackoffSettings& settings) {
  r.optional("base", settings.base, "the first wait is up to this, the second up to 3 times, the third up to 7 times",
             at_least(std::chrono::milliseconds(1)));
  r.optional("max", settings.max, "the longest wait");
  if (!r.is_describing() && settings.max < settings.base) r.problem_at("max", "is less than base");
}

void decode(config::Reader& r, RetryBudgetSettings& settings) {
  auto& limits = settings.limits;
  r.optional("ratio", limits.ratio, "retries, as a share of the route's requests: within the window, and at once");
  r.optional("min", limits.min, "retries that each window has anyway", in_range(0, 1'000'000));
  r.optional("concurrent", limits.concurrent, "retries that may run at once anyway", in_range(1, 1'000'000));
  r.optional("window", limits.window, "what the share is counted over",
             in_range<Duration>(std::chrono::seconds(1), std::chrono::minutes(10)));
}

void decode(config::Reader& r, RetrySettings& settings) {
  std::vector<config::Located<std::string>> methods;
  r.shorthand("attempts");
  r.optional("attempts", settings.attempts, "tries in all, the first among them", in_range(2, 10));
  r.optional("on", settings.on, "when to try again: " + Conditions::words());
  r.optional("methods", methods, "the only methods to send twice; others are when no endpoint can have seen them",
             config::non_empty);
  r.optional("non_idempotent", settings.non_idempotent, "POST, PATCH and the like may be sent twice, too");
  r.optional("idempotency_key", settings.idempotency_key,
             "the upstream knows a request again by its Idempotency-Key: any that has one may be sent twice");
  r.optional("per_try_timeout", settings.per_try_timeout, "for the response's head of each try; 0 = none");
  r.optional("backoff", settings.backoff, "how long to wait before a try: a random part of a span that grows");
  r.optional("retry_after_max", settings.retry_after_max,
             "the longest Retry-After that is waited for; an answer with a longer one stands");
  r.optional("body", settings.body, "the largest request body that is kept to be sent again",
             config::at_most(Bytes{16 * 1024 * 1024}));
  r.optional("budget", settings.budget, "what retries may add to the route's load");
  if (r.is_describing()) return;
  check_methods(r, methods, settings.non_idempotent || settings.idempotency_key);
  for (const auto& method : methods) settings.methods.push_back(*method);
}

}  // namespace weir::plugins
