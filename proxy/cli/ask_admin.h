#pragma once

#include <expected>
#include <string>

#include "cli/cli.h"

namespace weir::cli {

struct Answer {
  int status = 0;
  std::string body;
};

/// One request to the admin API of the running process, blocking, 30 s at most. Otherwise what went wrong.
std::expected<Answer, std::string> ask_admin(const AdminArguments& arguments, const std::string& method,
                                             const std::string& path);

}  // namespace weir::cli
