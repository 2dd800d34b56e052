#include "plugins/cache/rules/freshness.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "plugins/cache/rules/delta_seconds.h"

namespace weir::plugins {

namespace {

using std::chrono::seconds;

// Statuses by RFC 9110 section 15.1, sorted.
constexpr auto kHeuristically = std::to_array<uint16_t>({200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501});

/// Never below 0, and not as long as nanoseconds can't tell: dates lie up to 10,000 years apart.
Duration within_bounds(seconds time) { return std::clamp(time, seconds(0), seconds(kMostSeconds)); }

/// RFC 9110 section 6.6.1: without a date that can be read, a response is as old as its arrival.
http::DateTime date_of(const http::Headers& headers, http::DateTime received) {
  const auto date = headers.get(http::Field::date);
  return date ? http::parse_date(*date).value_or(received) : received;
}

/// RFC 9111 section 5.1: of several the first counts, and one that can't be read says nothing.
Duration age_value(const http::Headers& headers) {
  const auto age = headers.get(http::Field::age).value_or("");
  return seconds(parse_delta_seconds(trim(age.substr(0, age.find(',')))).value_or(0));
}

/// RFC 9111 section 5.3: what is no date has passed; of several the earliest counts.
std::optional<Duration> until_expires(const http::Headers& headers, http::DateTime born) {
  if (!headers.has(http::Field::expires)) return std::nullopt;
  Duration left = seconds(kMostSeconds);
  for (const auto& header : headers) {
    if (header.field != http::Field::expires) continue;
    left = std::min(left, within_bounds(http::parse_date(header.value).value_or(born) - born));
  }
  return left;
}

}  // namespace

Duration initial_age(const http::Headers& headers, http::DateTime received, Duration took) {
  const Duration apparent = within_bounds(received - date_of(headers, received));
  return std::max(apparent, age_value(headers) + std::max(took, Duration{}));
}

std::optional<Duration> stated_lifetime(const http::Headers& headers, const ResponseDirectives& directives,
                                        http::DateTime received) {
  if (directives.s_maxage) return seconds(*directives.s_maxage);
  if (directives.max_age) return seconds(*directives.max_age);
  if (directives.is_targeted) return std::nullopt;
  return until_expires(headers, date_of(headers, received));
}

std::optional<Duration> heuristic_lifetime(uint16_t status, const http::Headers& headers,
                                           const ResponseDirectives& directives, http::DateTime received, double share,
                                           Duration most) {
  if (!is_heuristically_cacheable(status) && !directives.is_public) return std::nullopt;
  if (stated_lifetime(headers, directives, received)) return std::nullopt;
  const auto field = headers.get(http::Field::last_modified);
  const auto modified = field ? http::parse_date(*field) : std::nullopt;
  if (!modified) return std::nullopt;
  const std::chrono::duration<double> unchanged = within_bounds(date_of(headers, received) - *modified);
  return std::min(std::chrono::duration_cast<Duration>(unchanged * std::clamp(share, 0.0, 1.0)), most);
}

bool is_heuristically_cacheable(uint16_t status) { return std::ranges::binary_search(kHeuristically, status); }

}  // namespace weir::plugins
