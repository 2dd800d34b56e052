#include "upstream/endpoint.h"

#include "upstream/upstream_state.h"

namespace weir::upstream {

void EndpointLease::release() {
  permits_ = {};  // whoever is called next may need a place there, too
  probe_ = {};
  upstream_->queue.vacate(endpoint_->state);
}

}  // namespace weir::upstream
