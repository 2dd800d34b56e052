#include <cstdio>

#include "admin/status_table.h"
#include "cli/ask_admin.h"

namespace weir::cli {

int status(const AdminArguments& arguments) {
  const auto answer = ask_admin(arguments, "GET", "/upstreams");
  if (!answer) {
    std::fprintf(stderr, "weir: %s\n", answer.error().c_str());
    return 1;
  }
  const auto table = admin::status_table(answer->body);
  if (!table) {
    std::fprintf(stderr, "weir: %s\n", table.error().c_str());
    return 1;
  }
  std::fputs(table->c_str(), stdout);
  return 0;
}

}  // namespace weir::cli
