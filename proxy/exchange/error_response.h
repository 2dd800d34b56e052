#pragma once

#include <string_view>

#include "base/error.h"
#include "exchange/access_record.h"
#include "exchange/exchange.h"

namespace weir {

/// All that an ErrorCode means towards the client and the log: the only place that knows.
struct ErrorMeaning {
  uint16_t status;
  Flag flag;
  std::string_view proxy_error;  // RFC 9209 section 2.3; "" when none fits
  std::string_view title;        // RFC 9457
  std::string_view type = {};    // RFC 9457, where one is registered; "" = our own, by the code's name
};
const ErrorMeaning& meaning_of(ErrorCode code);

/// The fact that names the policies of which a refused request broke the quotas, separated by ", ": tokens each.
inline constexpr std::string_view kViolatedPolicies = "violated-policies";

/// Renders `exchange.failure` into `exchange.response`: problem+json or short HTML by Accept (RFC 9457), a status
/// without a body for gRPC; Proxy-Status (RFC 9209), the flag in the record. Fields that filters put on the response
/// stay.
void render_error(Exchange& exchange);

}  // namespace weir
