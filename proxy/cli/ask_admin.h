#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "cli/find_admin.h"

namespace weir::cli {

struct Answer {
  int status = 0;
  std::string body;
};

/// One request to the admin API of the running process, blocking: 30 s at most for all of it. Otherwise what went
/// wrong, a response that broke off, too.
std::expected<Answer, std::string> ask_admin(const Admin& admin, const std::string& method, const std::string& path);

/// As a segment of a path, or a value of a query.
std::string escaped(std::string_view text);

}  // namespace weir::cli
