#include <cstdio>

#include "admin/circuit_table.h"
#include "admin/status_table.h"
#include "cli/ask_admin.h"

namespace weir::cli {

namespace {

using Table = std::expected<std::string, std::string>;

/// What the running process says under `path`, as a table.
Table ask_for(const AdminArguments& arguments, const char* path, Table (*render)(std::string_view)) {
  const auto answer = ask_admin(arguments, "GET", path);
  if (!answer) return std::unexpected(answer.error());
  if (answer->status != 200) return std::unexpected(std::string(path) + ": " + answer->body);
  return render(answer->body);
}

}  // namespace

int status(const AdminArguments& arguments) {
  const auto endpoints = ask_for(arguments, "/upstreams", admin::status_table);
  const auto circuits = endpoints ? ask_for(arguments, "/circuit_breakers", admin::circuit_table) : endpoints;
  if (!circuits) {
    std::fprintf(stderr, "weir: %s\n", circuits.error().c_str());
    return 1;
  }
  std::fputs(endpoints->c_str(), stdout);
  if (!circuits->empty()) std::printf("\n%s", circuits->c_str());
  return 0;
}

}  // namespace weir::cli
