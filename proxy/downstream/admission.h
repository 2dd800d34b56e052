#pragma once

#include "downstream/serving.h"

namespace weir::downstream {

/// What stands before the chain: expectation and method policy, the path's normal form, forwarding fields, the
/// route, the body's announced size. The route, or null with `exchange.failure` set (or a final answer given).
const Route* admit(Exchange& exchange, const Serving& serving);

/// Once the route is found: refuses what goes to an upstream by a path that its endpoints may take for another one than
/// the routes did.
Result<> check_path(Exchange& exchange);

}  // namespace weir::downstream
