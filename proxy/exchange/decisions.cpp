#include "exchange/decisions.h"

namespace weir::decisions::detail {

namespace {

std::string_view id_of(const Exchange& exchange) { return exchange.id.empty() ? "-" : exchange.id; }

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::pending: return "pending";
    case Outcome::answered: return "answered";
    case Outcome::refused: return "refused";
    case Outcome::timed_out: return "timed_out";
    case Outcome::broken: return "broken";
    case Outcome::abandoned: return "abandoned";
    case Outcome::unable: return "unable";
  }
  return "pending";
}

}  // namespace

void route(const Exchange& exchange) {
  const auto& request = exchange.request;
  log::debug("route_chosen", {{"request_id", id_of(exchange)},
                              {"client", exchange.client.ip},
                              {"method", request.method_name},
                              {"host", request.authority},
                              {"path", request.path},
                              {"matched_path", request.matched_path()},
                              {"route", exchange.route ? std::string_view(exchange.route->name) : "-"},
                              {"upstream", exchange.destination.upstream}});
}

void id(const Exchange& exchange) {
  log::debug("request_named", {{"request_id", id_of(exchange)},
                               {"client", exchange.client.ip},
                               {"method", exchange.request.method_name},
                               {"host", exchange.request.authority},
                               {"path", exchange.request.path}});
}

void endpoint(const Exchange& exchange, const Attempt& attempt) {
  log::debug("endpoint_chosen", {{"request_id", id_of(exchange)},
                                 {"upstream", attempt.upstream},
                                 {"endpoint", attempt.endpoint},
                                 {"attempt", attempt.number},
                                 {"connection", attempt.reused ? "reused" : "new"}});
}

void attempt_failed(const Exchange& exchange, const Attempt& attempt, const Error& error) {
  log::debug("attempt_failed", {{"request_id", id_of(exchange)},
                                {"upstream", attempt.upstream},
                                {"endpoint", attempt.endpoint},
                                {"attempt", attempt.number},
                                {"outcome", name_of(attempt.outcome)},
                                {"error", weir::name_of(error.code)},
                                {"detail", error.detail}});
}

void failure(const Exchange& exchange, const Error& error) {
  log::debug("request_failed", {{"request_id", id_of(exchange)},
                                {"route", exchange.route ? std::string_view(exchange.route->name) : "-"},
                                {"upstream", exchange.destination.upstream},
                                {"error", weir::name_of(error.code)},
                                {"by", error.by},
                                {"detail", error.detail}});
}

void retry(const Exchange& exchange, uint32_t tried, Duration delay, uint16_t status) {
  log::debug("retry_decided", {{"request_id", id_of(exchange)},
                               {"tries_before", tried},
                               {"delay_ms", std::chrono::duration_cast<std::chrono::milliseconds>(delay).count()},
                               {"status", status}});
}

void no_retry(const Exchange& exchange, std::string_view reason) {
  log::debug("retry_refused", {{"request_id", id_of(exchange)}, {"reason", reason}});
}

void cache(const Exchange& exchange, std::string_view cache, std::string_view outcome, std::string_view key) {
  log::debug("cache_decided", {{"request_id", id_of(exchange)}, {"cache", cache}, {"outcome", outcome}, {"key", key}});
}

}  // namespace weir::decisions::detail
