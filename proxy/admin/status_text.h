#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace weir::admin {

using Text = std::expected<std::string, std::string>;

/// What GET /status says, as `weir status` prints it: the process above the tables of endpoints and circuits, and the
/// tables below them. When the text is no such response, what is wrong with it.
Text process_text(std::string_view status_json);
Text details_text(std::string_view status_json);

/// The responses of three pages of the admin API.
struct Pages {
  std::string_view status;
  std::string_view upstreams;
  std::string_view circuit_breakers;
};
/// What is wrong, what each word means and what to do next, as `weir status --why` prints it: of one upstream, or of
/// all when `upstream` is "".
Text why_text(const Pages& pages, std::string_view upstream);

}  // namespace weir::admin
