#pragma once

#include "downstream/serving.h"

namespace weir::downstream {

/// What stands before the chain: expectation and method policy, the path's normal form, forwarding fields, the
/// route, the body's announced size. The route, or null with `exchange.failure` set (or a final answer given).
const Route* admit(Exchange& exchange, const Serving& serving);

/// Refuses what goes to an upstream by a path that its endpoints may take for another one than `routes` did when they
/// found `route`.
Result<> check_path(Exchange& exchange, const RouteTable& routes, const Route& route);

}  // namespace weir::downstream
