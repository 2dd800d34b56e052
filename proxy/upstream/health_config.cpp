#include "upstream/health_config.h"

#include <algorithm>

#include "base/text.h"
#include "http/syntax.h"

namespace weir::upstream {

static auto choices(HealthCheckSettings::Type*) {
  using enum HealthCheckSettings::Type;
  using Type = HealthCheckSettings::Type;
  return std::array{config::Choice<Type>{"http", http}, config::Choice<Type>{"tcp", tcp},
                    config::Choice<Type>{"grpc", grpc}};
}

static auto choices(Health*) {
  return std::array{config::Choice<Health>{"up", Health::up}, config::Choice<Health>{"down", Health::down},
                    config::Choice<Health>{"checking", Health::checking}};
}

static auto choices(OnDown*) {
  return std::array{config::Choice<OnDown>{"keep", OnDown::keep}, config::Choice<OnDown>{"cut", OnDown::cut}};
}

bool StatusSet::add(const std::string& text) {
  const auto dash = text.find('-');
  const auto low = parse_decimal(std::string_view(text).substr(0, dash));
  const auto high = dash == std::string::npos ? low : parse_decimal(std::string_view(text).substr(dash + 1));
  if (!low || !high || *low < 200 || *high > 599 || *low > *high) return false;
  ranges_.emplace_back(static_cast<uint16_t>(*low), static_cast<uint16_t>(*high));
  return true;
}

bool StatusSet::has(uint16_t status) const {
  return std::ranges::any_of(ranges_,
                             [&](const auto& range) { return range.first <= status && status <= range.second; });
}

namespace {

constexpr Duration kShortest = std::chrono::milliseconds(10);

/// Settings that mean nothing for this type of check.
void check_type(config::Reader& r, const HealthCheckSettings& out) {
  using Type = HealthCheckSettings::Type;
  const auto only = [&](Type type, std::initializer_list<std::string_view> keys, std::string_view name) {
    if (out.type == type) return;
    for (const auto key : keys) {
      if (r.has(key)) r.problem_at(key, std::string(key) + " is about checks of type " + std::string(name));
    }
  };
  only(Type::http, {"path", "method", "expect", "body"}, "http");
  only(Type::grpc, {"service"}, "grpc");
  if (out.type != Type::tcp) return;
  for (const auto* key : {"host", "headers"}) {
    if (r.has(key)) r.problem_at(key, std::string(key) + " says nothing to a check of type tcp, which only connects");
  }
}

void check_request(config::Reader& r, HealthCheckSettings& out) {
  if (!out.path.starts_with('/') || out.path.find_first_of(" #") != std::string::npos)
    r.problem_at("path", "'" + out.path + "' is not a path", "write it as requests do: /healthz?full=1");
  if (!http::is_token(out.method) || out.method == "CONNECT")
    r.problem_at("method", "'" + out.method + "' is not a method for checks", "write GET, HEAD, OPTIONS or POST");
  if (out.method == "HEAD" && !out.body.empty())
    r.problem_at("body", "the answer to HEAD has no body", "write method: GET");
  for (const auto& [name, value] : out.headers) {
    const bool is_value = std::ranges::none_of(value, [](unsigned char c) { return c < ' ' || c == 0x7f; });
    if (!http::is_token(name) || !is_value) r.problem_at("headers", "'" + name + "' can't be sent as a field");
  }
  for (const auto& text : out.expect) {
    if (!out.statuses.add(text))
      r.problem_at("expect", "'" + text + "' is not a status or a range of them", "write 200, 204 or 200-399");
  }
}

}  // namespace

void decode(config::Reader& r, HealthCheckSettings& out) {
  r.shorthand("path");
  r.optional("type", out.type, "http asks for `path`; tcp only connects; grpc calls grpc.health.v1");
  r.optional("path", out.path, "what is asked for, with a query if need be");
  r.optional("method", out.method, "how", config::non_empty);
  r.optional("host", out.host, "the Host sent; left out: the upstream's `host`, or the endpoint's own",
             config::non_empty);
  r.optional("headers", out.headers, "fields of the request", config::field_values);
  r.optional("expect", out.expect, "statuses that pass: 204, or 200-399; a redirect isn't followed", config::non_empty,
             config::list_of_one);
  r.optional("body", out.body, "text that must be in the first 64 KiB of the answer");
  r.optional("service", out.service, "the gRPC service asked about; left out: the server as a whole");
  r.optional("interval", out.interval, "between two checks of an endpoint", config::at_least(kShortest));
  r.optional("fast_interval", out.fast_interval,
             "between two checks while the state is changing; left out: a quarter of interval",
             config::at_least(kShortest));
  r.optional("timeout", out.timeout, "of one check, its connection included", config::at_least(kShortest));
  r.optional("rise", out.rise, "passes in a row that bring an endpoint up", config::in_range(1.0, 100.0));
  r.optional("fall", out.fall, "failures in a row that take it down", config::in_range(1.0, 100.0));
  r.optional("jitter", out.jitter, "of the interval, by chance, more or less", config::in_range(0.0, 0.5));
  r.optional("initial", out.initial, "until the first pass: up, down, or checking: no request at all");
  r.optional(
      "on_down", out.on_down,
      "requests that wait for an endpoint when it goes down: keep lets them wait, cut ends them, and sends those "
      "that are idempotent to another endpoint");
  r.optional("port", out.port, "checked in place of the endpoint's own; 0 = that", config::in_range(0.0, 65535.0));
  if (r.is_describing()) return;
  check_type(r, out);
  check_request(r, out);
}

void decode(config::Reader& r, OutlierSettings::SuccessRate& out) {
  r.optional("minimum_hosts", out.minimum_hosts, "endpoints with enough requests that there must be",
             config::at_least(1.0));
  r.optional("request_volume", out.request_volume, "requests in an interval that are enough", config::at_least(1.0));
  r.optional("stdev_factor", out.stdev_factor, "so many standard deviations below the mean is too few",
             config::in_range(0.1, 10.0));
}

void decode(config::Reader& r, OutlierSettings::FailurePercentage& out) {
  r.shorthand("threshold");
  r.optional("threshold", out.threshold, "of its requests in an interval, from which on an endpoint is put aside",
             config::in_range(0.01, 1.0));
  r.optional("minimum_hosts", out.minimum_hosts, "endpoints with enough requests that there must be",
             config::at_least(1.0));
  r.optional("request_volume", out.request_volume, "requests in an interval that are enough", config::at_least(1.0));
}

void decode(config::Reader& r, OutlierSettings& out) {
  r.optional("consecutive_5xx", out.consecutive_5xx, "in a row that put an endpoint aside; 0 = off");
  r.optional("consecutive_gateway_failure", out.consecutive_gateway_failure, "502, 503 and 504 in a row; 0 = off");
  r.optional("consecutive_local_origin_failure", out.consecutive_local_origin_failure,
             "attempts without an answer in a row, with split_local_origin; 0 = off");
  r.optional("split_local_origin", out.split_local_origin,
             "count attempts without an answer apart; else each is as good as a 503");
  r.optional("interval", out.interval, "after which rates are compared", config::at_least(kShortest));
  r.optional("base_ejection_time", out.base_ejection_time, "how long, times the ejections in a row",
             config::at_least(kShortest));
  r.optional("max_ejection_time", out.max_ejection_time, "the longest; base_ejection_time when that is longer",
             config::at_least(kShortest));
  r.optional("max_ejection_time_jitter", out.max_ejection_time_jitter, "added by chance, up to this");
  r.optional("max_ejection_percent", out.max_ejection_percent, "of the endpoints, at once; one may always go");
  r.optional("success_rate", out.success_rate, "put aside who answers worse than the others; none = off",
             config::or_word("none"));
  r.optional("failure_percentage", out.failure_percentage, "put aside who fails more often than this");
  r.optional("uneject_on_check", out.uneject_on_check, "a health check that passes ends an ejection");
  out.max_ejection_time = std::max(out.max_ejection_time, out.base_ejection_time);
}

}  // namespace weir::upstream
