#pragma once

#include "downstream/policy.h"
#include "exchange/exchange.h"

namespace weir::downstream {

/// Makes the request one that Weir may forward (RFC 9110 section 7.6): hop-by-hop fields go, the client's
/// address is settled, X-Forwarded-* or Forwarded are overwritten (from strangers) or extended (from trusted
/// proxies), Via is extended. `exchange.client.peer` is set before. loop_detected when our own Via is there.
Result<> prepare_forwarding(Exchange& exchange, const Forwarding& forwarding);

}  // namespace weir::downstream
