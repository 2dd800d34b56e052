#include "upstream/health_header.h"

namespace weir::upstream {

std::optional<Health> said_health(const http::Headers& headers, std::string_view name) {
  const auto value = headers.get(name);
  if (!value) return std::nullopt;
  if (*value == "degraded") return Health::degraded;
  if (*value == "down") return Health::down;
  if (*value == "drain") return Health::draining;
  if (*value == "up") return Health::up;
  return std::nullopt;
}

void heed_health_header(const Upstream& upstream, EndpointState& endpoint, http::ResponseHead& head, Time now) {
  const std::string_view name = upstream.settings().health_header;
  const auto said = said_health(head.headers, name);
  if (!said) return;
  head.headers.remove(name);
  heed_said_health(upstream, endpoint, *said, now);
}

void heed_said_health(const Upstream& upstream, EndpointState& endpoint, Health said, Time now) {
  // An endpoint that says the same in every answer costs no lock.
  if (endpoint.said.load(std::memory_order_relaxed) == said) return;
  upstream.state().health.judge(endpoint, Judge::backend, said, "said so in " + upstream.settings().health_header, now);
}

}  // namespace weir::upstream
