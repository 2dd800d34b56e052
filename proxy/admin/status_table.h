#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace weir::admin {

/// The answer of /upstreams as the table that `weir status` prints: a row for each endpoint. When the text isn't
/// such an answer, what is wrong with it.
std::expected<std::string, std::string> status_table(std::string_view upstreams_json);

}  // namespace weir::admin
