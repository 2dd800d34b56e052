#pragma once

#include "downstream/policy.h"
#include "exchange/exchange.h"

namespace weir::downstream {

/// Makes the request one that Weir may forward (RFC 9110 section 7.6): hop-by-hop fields go, the client's
/// address is settled, X-Forwarded-* or Forwarded are overwritten (from strangers) or extended (from trusted
/// proxies), X-Real-IP is the client's address, what strangers say of their identity goes, CDN-Loop and Via are
/// extended. `exchange.client.peer` is set before. loop_detected when our own name is in CDN-Loop or Via.
Result<> prepare_forwarding(Exchange& exchange, const Forwarding& forwarding);

}  // namespace weir::downstream
