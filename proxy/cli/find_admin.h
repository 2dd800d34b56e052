#pragma once

#include <expected>
#include <string>

#include "cli/cli.h"
#include "net/address.h"

namespace weir::cli {

/// Where the admin API of the running process is, and what a request proves itself with.
struct Admin {
  net::Address address;
  std::string token;  // "" = none
};

/// By `--admin`, else by the file's `admin:` section: also of a file that is not YAML, when the section itself can be
/// read; then a line on stderr says so. Otherwise why there is none, and what to do.
std::expected<Admin, std::string> find_admin(const AdminArguments& arguments);

}  // namespace weir::cli
