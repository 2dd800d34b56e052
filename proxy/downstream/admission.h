#pragma once

#include "downstream/serving.h"

namespace weir::downstream {

/// What stands before the chain: expectation and method policy, the path's normal form, forwarding fields, the
/// route, the body's announced size. The route, or null with `exchange.failure` set (or a final answer given).
const Route* admit(Exchange& exchange, const Serving& serving);

}  // namespace weir::downstream
