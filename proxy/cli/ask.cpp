#include <cstdio>

#include "admin/reload_text.h"
#include "cli/ask_admin.h"

// The subcommands that ask the running process one thing and print its answer.

namespace weir::cli {

namespace {

int fail(const std::string& why) {
  std::fprintf(stderr, "weir: %s\n", why.c_str());
  return 1;
}

int ask_and_print(const AdminArguments& arguments, const char* path) {
  const auto answer = ask_admin(arguments, "GET", path);
  if (!answer) return fail(answer.error());
  const bool ok = answer->status == 200;
  std::fputs(answer->body.c_str(), ok ? stdout : stderr);
  return ok ? 0 : 1;
}

}  // namespace

int reload(const AdminArguments& arguments) {
  const auto answer = ask_admin(arguments, "POST", "/reload");
  if (!answer) return fail(answer.error());
  if (answer->status != 200 && answer->status != 422) return fail("/reload: " + answer->body);
  const auto text = admin::reload_text(answer->body);
  if (!text) return fail(text.error());
  const bool ok = answer->status == 200;
  std::fputs(text->c_str(), ok ? stdout : stderr);
  return ok ? 0 : 1;
}

int healthcheck(const AdminArguments& arguments) { return ask_and_print(arguments, "/readyz"); }
int effective_config(const AdminArguments& arguments) { return ask_and_print(arguments, "/config"); }

}  // namespace weir::cli
