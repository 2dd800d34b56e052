#include "upstream/endpoint.h"

#include "upstream/upstream_state.h"

namespace weir::upstream {

void vacate(const Endpoint& endpoint, UpstreamState& upstream) {
  --endpoint.state->active;
  if (upstream.queue.is_awaited()) upstream.queue.call_next();
}

void EndpointLease::release() {
  permits_ = {};  // whoever is called next may need a place there, too
  vacate(*endpoint_, *upstream_);
}

}  // namespace weir::upstream
