#include <cstdio>

#include "cli/ask_admin.h"

// The subcommands that ask the running process one thing and print its answer.

namespace weir::cli {

namespace {

int ask_and_print(const AdminArguments& arguments, const char* method, const char* path) {
  const auto answer = ask_admin(arguments, method, path);
  if (!answer) {
    std::fprintf(stderr, "weir: %s\n", answer.error().c_str());
    return 1;
  }
  const bool ok = answer->status == 200;
  std::fputs(answer->body.c_str(), ok ? stdout : stderr);
  return ok ? 0 : 1;
}

}  // namespace

int reload(const AdminArguments& arguments) { return ask_and_print(arguments, "POST", "/reload"); }
int healthcheck(const AdminArguments& arguments) { return ask_and_print(arguments, "GET", "/readyz"); }
int effective_config(const AdminArguments& arguments) { return ask_and_print(arguments, "GET", "/config"); }

}  // namespace weir::cli
