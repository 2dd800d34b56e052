#pragma once

#include <string>

#include "routing/config.h"

namespace weir::routing {

/// What a route without a name is known by: a text made of all that a request must have to match. The order of the
/// routes and the place in the file don't matter.
std::string match_identity(const MatchSettings& match);

/// The same with where the route leads: its upstream, the upstreams of its split, its redirect or its response. Routes
/// with different identities never share state: "route~1f0a…".
std::string route_identity(const RouteSettings& route);

}  // namespace weir::routing
