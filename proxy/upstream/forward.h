#pragma once

#include <expected>
#include <memory>
#include <string>
#include <unordered_map>

#include "exchange/filter.h"
#include "upstream/response_body.h"
#include "upstream/upstream.h"

namespace weir::upstream {

/// The chain's last link: sends the request to the upstream that `exchange.destination` names. Asks its balancer for an
/// endpoint, the worker's pool for a connection, sends, waits for the response's head. Leaves the response (whose body
/// owns the attempt) or a failure. Shared by all workers.
///
/// Failover: while an endpoint takes no connection, or says that it has not looked at the request, the next one is
/// tried, up to `connect_attempts` of them. So it is when `on_down: cut` ends an idempotent request, or the endpoint
/// ended a fresh connection without a byte of an answer to one. Neither `retry` nor its budget has a part in that:
/// nothing was done, or it does no harm twice.
class Forward final : public Origin {
 public:
  /// The upstreams live as long as the snapshot, so longer than this.
  explicit Forward(const std::vector<std::unique_ptr<Upstream>>& upstreams);

  Task<> handle(Exchange& exchange) const override;

 private:
  /// Why an attempt brought no response.
  struct Unanswered {
    enum class Sent : uint8_t { no, perhaps };  // no: or a request that does no harm when it is sent twice
    Error error;
    Sent sent;
  };
  using Attempted = std::expected<void, Unanswered>;
  /// `tried`: endpoints, this one included.
  Task<Attempted> attempt(Exchange& exchange, const Upstream& upstream, EndpointLease lease, uint32_t tried) const;

  std::unordered_map<std::string_view, const Upstream*> upstreams_;
};

}  // namespace weir::upstream
