#include <algorithm>
#include <cctype>

#include "plugins/concurrency_limit/concurrency_limit.h"

namespace weir::plugins {

using Status = ConcurrencyLimitSettings::Status;

static constexpr auto choices(Status*) {
  return std::array<config::Choice<Status>, 2>{{{"429", Status::too_many_requests}, {"503", Status::unavailable}}};
}

static bool is_name(std::string_view name) {
  return std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-' || c == '.'; });
}

void decode(config::Reader& r, LineSettings& settings) {
  r.shorthand("max");
  r.optional("max", settings.max,
             "most that wait for one key's places, without a key no more of one client than there are free places; 0: "
             "nobody waits");
  r.optional("timeout", settings.timeout, "longest wait", config::at_least(std::chrono::milliseconds(1)));
}

void decode(config::Reader& r, ConcurrencyLimitSettings& settings) {
  r.shorthand("max");
  r.required("max", settings.max, "most requests in flight", config::at_least(1));
  r.optional("key", settings.key, "each value has as many places, without a value each client; left out: all together");
  r.optional("name", settings.name, "limits with the same name share their places; left out: the route's");
  r.optional("queue", settings.queue, "who waits when all places are taken");
  r.optional("status", settings.status, "what the others are told; left out: 429 with a key, 503 without");
  r.optional("max_keys", settings.max_keys,
             "most keys in flight at once, of one client no more than are free; others are refused",
             config::at_least(16));
  if (r.is_describing() || is_name(*settings.name)) return;
  r.problem_at("name", "'" + *settings.name + "' is not a name for a limit", "letters, digits, '_', '-' and '.'");
}

}  // namespace weir::plugins
