#pragma once

#include "base/log.h"
#include "exchange/exchange.h"

namespace weir::decisions {

// Debug events that explain what Weir decided about a request. With `log.level` above debug each costs one load and
// one comparison. The events are put together out of line, so that they take no room in coroutine frames.

namespace detail {
void route(const Exchange& exchange);
void id(const Exchange& exchange);
void endpoint(const Exchange& exchange, const Attempt& attempt);
void attempt_failed(const Exchange& exchange, const Attempt& attempt, const Error& error);
void failure(const Exchange& exchange, const Error& error);
void retry(const Exchange& exchange, uint32_t tried, Duration delay, uint16_t status);
void no_retry(const Exchange& exchange, std::string_view reason);
void cache(const Exchange& exchange, std::string_view cache, std::string_view outcome, std::string_view key);
}  // namespace detail

/// The route that matched (none: `route=-`) and the upstream that it chose.
inline void route(const Exchange& exchange) {
  if (log::is_debug()) [[unlikely]]
    detail::route(exchange);
}
/// The id of a request, which the events before do not have.
inline void id(const Exchange& exchange) {
  if (log::is_debug()) [[unlikely]]
    detail::id(exchange);
}
/// The endpoint of an attempt, and whether an open connection is used.
inline void endpoint(const Exchange& exchange, const Attempt& attempt) {
  if (log::is_debug()) [[unlikely]]
    detail::endpoint(exchange, attempt);
}
inline void attempt_failed(const Exchange& exchange, const Attempt& attempt, const Error& error) {
  if (log::is_debug()) [[unlikely]]
    detail::attempt_failed(exchange, attempt, error);
}
/// An error that Weir itself is about to respond: an open circuit, a limit, no route.
inline void failure(const Exchange& exchange, const Error& error) {
  if (log::is_debug()) [[unlikely]]
    detail::failure(exchange, error);
}
inline void retry(const Exchange& exchange, uint32_t tried, Duration delay, uint16_t status) {
  if (log::is_debug()) [[unlikely]]
    detail::retry(exchange, tried, delay, status);
}
inline void no_retry(const Exchange& exchange, std::string_view reason) {
  if (log::is_debug()) [[unlikely]]
    detail::no_retry(exchange, reason);
}
inline void cache(const Exchange& exchange, std::string_view cache, std::string_view outcome, std::string_view key) {
  if (log::is_debug()) [[unlikely]]
    detail::cache(exchange, cache, outcome, key);
}

}  // namespace weir::decisions
