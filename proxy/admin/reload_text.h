#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace weir::admin {

/// The answer of POST /reload as the text that `weir reload` prints: "reloaded", or the problems as `weir check` shows
/// them. When it isn't such an answer, what is wrong with it.
std::expected<std::string, std::string> reload_text(std::string_view reload_json);

}  // namespace weir::admin
