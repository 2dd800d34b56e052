#pragma once

#include <string>
#include <string_view>

namespace weir::cli {

/// What became of an endpoint, by the page /upstreams: its state, its requests in flight, and whether its upstream has
/// an endpoint left for new requests.
std::string order_text(std::string_view upstreams_json, std::string_view upstream, std::string_view endpoint);
/// Which of the two names is not known, and which are.
std::string unknown_endpoint(std::string_view upstreams_json, const std::string& upstream, const std::string& endpoint);

}  // namespace weir::cli
