#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "exchange/filter.h"
#include "upstream/response_body.h"
#include "upstream/upstream.h"

namespace weir::upstream {

/// The chain's last link: one attempt at the upstream that `exchange.destination` names. Asks its balancer for an
/// endpoint, the worker's pool for a connection, sends, waits for the response's head. Leaves the response (whose
/// body owns the attempt) or a failure. Shared by all workers.
class Forward final : public Origin {
 public:
  /// The upstreams live as long as the snapshot, so longer than this.
  explicit Forward(const std::vector<std::unique_ptr<Upstream>>& upstreams);

  Task<> handle(Exchange& exchange) const override;

 private:
  Task<Result<>> attempt(Exchange& exchange, const Upstream& upstream, EndpointLease lease) const;

  std::unordered_map<std::string_view, const Upstream*> upstreams_;
};

}  // namespace weir::upstream
