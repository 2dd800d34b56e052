#include "admin/reload_text.h"

#include <nlohmann/json.hpp>

namespace weir::admin {

std::expected<std::string, std::string> reload_text(std::string_view reload_json) {
  try {
    const auto outcome = nlohmann::json::parse(reload_json);
    return outcome.value("text", outcome.at("ok") ? "reloaded\n" : "the reload failed\n");
  } catch (const nlohmann::json::exception& problem) {
    return std::unexpected(std::string("not an answer of /reload: ") + problem.what());
  }
}

}  // namespace weir::admin
