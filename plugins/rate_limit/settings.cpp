#include "plugins/rate_limit/settings.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "base/text.h"
#include "exchange/client_networks.h"
#include "exchange/store_failure.h"

namespace weir::store {

static constexpr auto choices(Limit::Algorithm*) {
  using enum Limit::Algorithm;
  return std::array<config::Choice<Limit::Algorithm>, 4>{{{"gcra", gcra},
                                                          {"sliding_window", sliding_window},
                                                          {"sliding_log", sliding_log},
                                                          {"fixed_window", fixed_window}}};
}

}  // namespace weir::store

namespace weir::plugins {

static constexpr auto choices(Mode*) {
  return std::array<config::Choice<Mode>, 3>{
      {{"enforce", Mode::enforce}, {"shadow", Mode::shadow}, {"throttle", Mode::throttle}}};
}

static constexpr auto choices(QuotaFieldSet*) {
  using enum QuotaFieldSet;
  return std::array<config::Choice<QuotaFieldSet>, 4>{
      {{"standard", standard}, {"legacy", legacy}, {"both", both}, {"none", none}}};
}

namespace {

using Algorithm = store::Limit::Algorithm;

constexpr double kFastest = 1e6;  // a second: clocks of stores count microseconds
constexpr auto kCentury = std::chrono::duration<double>(store::kCentury).count();

bool is_even(const QuotaSettings& quota) { return !quota.algorithm || **quota.algorithm == Algorithm::gcra; }
bool is_whole(double number) { return number == std::floor(number); }

uint64_t burst_of(const QuotaSettings& quota) {
  if (quota.burst) return **quota.burst;
  return std::max<uint64_t>(static_cast<uint64_t>((*quota.rate)->count), 1);
}

void check_name(config::Problems& problems, const config::Located<std::string>& name) {
  const auto is_fine = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-' || c == '.'; };
  if (std::ranges::all_of(*name, is_fine)) return;
  problems.add(name.at, "'" + *name + "' is not a name for a limit", "letters, digits, '_', '-' and '.'");
}

void check_windows(config::Problems& problems, const QuotaSettings& quota) {
  if (is_even(quota)) return;
  if (quota.burst) {
    problems.add(quota.burst->at, "a window has no burst", "leave it out, or take algorithm: gcra");
  }
  if (!is_whole((*quota.rate)->count)) {
    problems.add(quota.rate->at, "a window counts whole requests", "write a whole count, as in 3/minute");
  }
  if (**quota.algorithm == Algorithm::sliding_log && (*quota.rate)->count > store::kMostInLog) {
    problems.add(quota.rate->at, "a sliding_log remembers each request: 10000 at most",
                 "write a smaller count, or take algorithm: sliding_window");
  }
}

void check(config::Problems& problems, const QuotaSettings& quota) {
  check_name(problems, quota.name);
  check_windows(problems, quota);
  const uint64_t most = burst_of(quota);
  if ((*quota.rate)->per_second() > kFastest) {
    problems.add(quota.rate->at, "too fast to be counted", "at most 1000000/second");
  } else if (static_cast<double>(most) / (*quota.rate)->per_second() >= kCentury) {
    problems.add(quota.burst ? quota.burst->at : quota.rate->at, "such a burst takes a century to come back",
                 "write a smaller burst or a higher rate");
  }
  if (quota.cost && (*quota.cost)->fixed > most) {
    problems.add(quota.cost->at,
                 "costs more than the " + std::to_string(most) + " that the limit gives at once: nothing would pass",
                 "write a smaller cost or a larger burst");
  }
}

void check_throttle(config::Problems& problems, const QuotaSettings& quota) {
  if (is_even(quota)) return;
  problems.add(quota.algorithm->at, "throttle needs an even rate", "take algorithm: gcra");
}

void check_lease(config::Problems& problems, const RateLimitSettings& settings, const QuotaSettings& quota) {
  if (*settings.lease > 1 && quota.algorithm && **quota.algorithm == Algorithm::sliding_log)
    problems.add(settings.lease.at, "a sliding_log is exact, leases are not", "leave out one of the two");
  if (*settings.lease <= burst_of(quota)) return;
  problems.add(settings.lease.at, "more than the " + std::to_string(burst_of(quota)) + " that the limit gives at once",
               "write a smaller lease or a larger burst");
}

void check(config::Reader& r, const RateLimitSettings& settings) {
  auto& problems = r.problems();
  if (settings.limits.size() > store::kMostLimits) {
    r.problem_at("limits", "more than " + std::to_string(store::kMostLimits) + " limits", "write another rate_limit");
  }
  std::set<std::string> names;
  for (const auto& quota : quotas_of(settings)) {
    if (!names.insert(*quota.name).second) {
      problems.add(quota.name.at, "two limits are called '" + *quota.name + "'", "give each a name of its own");
    }
    check(problems, quota);
    if (settings.mode == Mode::throttle) check_throttle(problems, quota);
    check_lease(problems, settings, quota);
  }
  if (settings.mode == Mode::throttle && *settings.lease > 1) {
    problems.add(settings.lease.at, "throttle takes no leases", "leave out one of the two");
  }
}

void decode_terms(config::Reader& r, QuotaSettings& quota) {
  r.optional("burst", quota.burst, "how many may come at once; left out: the rate's count", config::at_least(1));
  r.optional("key", quota.key,
             "what is counted: requests with the same value share a quota; without a value, the client");
  r.optional("cost", quota.cost, "what a request takes: a number, or a key whose value is one; left out: 1");
  r.optional("algorithm", quota.algorithm,
             "gcra, or left out: evenly spaced after a burst; sliding_window: about the last period, at worst nearly "
             "twice the rate within one; sliding_log: exactly the last period; fixed_window: the calendar's, in UTC");
}

}  // namespace

std::vector<QuotaSettings> quotas_of(const RateLimitSettings& settings) {
  if (settings.limits.empty()) return {settings.quota};
  auto quotas = settings.limits;
  for (auto& quota : quotas) {
    if (quota.key.empty()) quota.key = settings.quota.key;
    if (!quota.burst) quota.burst = settings.quota.burst;
    if (!quota.algorithm) quota.algorithm = settings.quota.algorithm;
    if (!quota.cost) quota.cost = settings.quota.cost;
  }
  return quotas;
}

store::Limit limit_of(const QuotaSettings& quota, std::string_view name) {
  const auto algorithm = quota.algorithm ? **quota.algorithm : Algorithm::gcra;
  store::Limit limit{name, algorithm, 1, (*quota.rate)->per, burst_of(quota)};
  if (is_whole((*quota.rate)->count)) {
    limit.count = static_cast<uint64_t>((*quota.rate)->count);
  } else {
    limit.per = Duration(std::llround(static_cast<double>(limit.per.count()) / (*quota.rate)->count));
  }
  return limit;
}

void decode(config::Reader& r, QuotaSettings& quota) {
  r.required("name", quota.name, "what clients, logs and metrics call it", config::non_empty);
  r.required("rate", quota.rate, "so many in so long");
  decode_terms(r, quota);
}

void decode(config::Reader& r, ExemptSettings& settings) {
  r.shorthand("clients", config::Shorthand::scalar_or_list);
  r.optional("clients", settings.clients, "networks whose clients pass uncounted", config::list_of_one);
  r.optional("keys", settings.keys, "values of the limit's key that pass uncounted", config::list_of_one);
  r.optional("when", settings.when, "KEY: values; a request that has one of them passes uncounted",
             config::field_values);
  if (r.is_describing()) return;
  for (const auto& client : settings.clients) {
    if (ClientNetworks().add(*client)) continue;
    r.problems().add(client.at, "'" + *client + "' is not a network", "write 10.0.0.0/8, ::1 or unix:");
  }
  for (const auto& condition : settings.when) {
    const auto key = KeyExpression::parse(condition.name);
    if (!key) r.problems().add(condition.at, "'" + condition.name + "' is not a key", key.error());
  }
}

void decode(config::Reader& r, RateLimitSettings& settings) {
  auto& quota = settings.quota;
  quota.key = *KeyExpression::parse("client.ip");
  r.shorthand("rate");
  r.optional("rate", quota.rate, "so many in so long");
  decode_terms(r, quota);
  r.optional("name", quota.name, "limits with the same name share their quotas, on all routes; left out: the route's");
  r.optional("limits", settings.limits, "several quotas, taken all or none; what one leaves out is as around it",
             config::non_empty);
  r.exactly_one_of({"rate", "limits"});
  r.optional("mode", settings.mode, "shadow: only counts; throttle: delays what comes too early");
  r.optional("max_delay", settings.max_delay, "throttle: the longest delay; what would take longer is refused",
             config::at_least(std::chrono::milliseconds(1)));
  r.optional("max_waiting", settings.max_waiting,
             "throttle: most requests that are being delayed at once; of one key no more than there are free places",
             config::at_least(1));
  r.optional("on_store_failure", settings.on_store_failure, store::kOnStoreFailure);
  r.optional("headers", settings.headers, "what clients are told of their quota");
  r.optional("exempt", settings.exempt, "who passes uncounted");
  r.optional("lease", settings.lease, "so many are taken from the store at a time, for keys in great demand; 1: off",
             config::in_range(1.0, 10000.0));
  const bool has_rate = settings.quota.rate || !settings.limits.empty();  // else the reader tells so in the end
  if (!r.is_describing() && !r.failed() && has_rate) check(r, settings);
}

}  // namespace weir::plugins

namespace weir::config {

void Type<plugins::Cost>::read(Reader& r, plugins::Cost& out) {
  r.describe(Shape::Kind::text);
  if (const auto text = r.scalar("a cost", "write a number, or a key as in header.x-cost")) {
    const auto number = parse_decimal(*text);
    auto key = KeyExpression::parse(*text);
    if (number && *number > 0) {
      out = {*number, {}};
    } else if (!number && key) {
      out = {1, std::move(*key)};
    } else {
      r.problem("'" + *text + "' is not a cost", number ? "write 1 or more" : key.error());
    }
  }
  r.write(Value::text(out.from.empty() ? std::to_string(out.fixed) : out.from.text()));
}

}  // namespace weir::config
