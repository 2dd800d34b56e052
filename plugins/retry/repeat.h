#pragma once

#include <optional>

#include "exchange/exchange.h"
#include "plugins/retry/settings.h"

namespace weir::plugins {

/// May the request go once more, by what it came to and by what it is? Neither looks at time, nor at budgets.

/// The endpoint can't have acted on the request: whatever its method, it may go again (RFC 9110 section 9.2.2).
bool was_not_looked_at(const Exchange& exchange);

/// This request may be sent twice, whatever has become of the first.
bool may_be_repeated(const Exchange& exchange, const RetrySettings& settings);

/// Both: there is reason to, and it does no harm.
bool is_worth_repeating(const Exchange& exchange, const RetrySettings& settings);

/// Since there were `attempts` of them, no attempt has had a connection: nothing was sent, so a retry adds no load.
bool found_no_connection(const Exchange& exchange, size_t attempts);

/// What Retry-After asks for, as seconds or as a date; nothing when it says neither.
std::optional<Duration> retry_after(const Exchange& exchange);

}  // namespace weir::plugins
