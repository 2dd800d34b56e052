#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace weir::admin {

/// The answer of /circuit_breakers as the table that `weir status` prints below that of the endpoints; "" when there
/// are none. When the text isn't such an answer, what is wrong with it.
std::expected<std::string, std::string> circuit_table(std::string_view circuit_breakers_json);

}  // namespace weir::admin
