#pragma once

#include <optional>
#include <string_view>

#include "http/message.h"
#include "upstream/upstream.h"

namespace weir::upstream {

/// What an endpoint says of itself in the field `name`: `up`, `degraded`, `down`, `drain`. Nothing when it doesn't.
std::optional<Health> said_health(const http::Headers& headers, std::string_view name);

/// Of an ordinary answer: believed at once, and not passed on. Saying nothing changes nothing here; a check's answer
/// that says nothing means `up`.
void heed_health_header(const Upstream& upstream, EndpointState& endpoint, http::ResponseHead& head, Time now);

/// Believes it.
void heed_said_health(const Upstream& upstream, EndpointState& endpoint, Health said, Time now);

}  // namespace weir::upstream
