#include "upstream/endpoint.h"

#include "upstream/upstream_state.h"

namespace weir::upstream {

void EndpointLease::measured(Duration took) { state().latency.observe(took, started_ + took); }

void EndpointLease::release() {
  permits_ = {};  // whoever is called next may need a place there, too
  --state().active;
  if (upstream_->queue.is_awaited()) upstream_->queue.call_next();
}

}  // namespace weir::upstream
