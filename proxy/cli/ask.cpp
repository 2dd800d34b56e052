#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "admin/reload_text.h"
#include "cli/ask_admin.h"

// The subcommands that ask the running process one thing and print its answer.

namespace weir::cli {

namespace {

int fail(const std::string& why) {
  std::fprintf(stderr, "weir: %s\n", why.c_str());
  return 1;
}

/// Which file is meant to be loaded: that whose admin address is asked. None with an address alone.
std::string query_of(const AdminArguments& arguments) {
  if (!arguments.admin.empty() && !arguments.is_file_given) return "";
  const std::unique_ptr<char, decltype(&std::free)> path(::realpath(arguments.file.c_str(), nullptr), &std::free);
  struct stat found{};
  if (!path || ::stat(path.get(), &found) != 0) return "?file=" + escaped(arguments.file);
  return "?file=" + escaped(path.get()) +
         "&identity=" + escaped(std::to_string(found.st_dev) + ":" + std::to_string(found.st_ino));
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
  const auto answer = ask_admin(arguments, "POST", "/reload" + query_of(arguments));
  if (!answer) return fail(answer.error());
  if (answer->status != 200 && answer->status != 409 && answer->status != 422) return fail("/reload: " + answer->body);
  const auto text = admin::reload_text(answer->body);
  if (!text) return fail(text.error());
  const bool ok = answer->status == 200;
  std::fputs(text->c_str(), ok ? stdout : stderr);
  return ok ? 0 : 1;
}

int order(const AdminArguments& arguments, const EndpointArguments& endpoint, const char* verb) {
  const auto answer =
      ask_admin(arguments, "POST",
                "/upstreams/" + escaped(endpoint.upstream) + "/endpoints/" + escaped(endpoint.endpoint) + "/" + verb);
  if (!answer) return fail(answer.error());
  if (answer->status == 404) {
    return fail("upstream '" + endpoint.upstream + "' has no endpoint '" + endpoint.endpoint +
                "'; `weir status` lists them");
  }
  if (answer->status != 200) return fail(answer->body);
  std::printf("%s of %s: %s\n", endpoint.endpoint.c_str(), endpoint.upstream.c_str(), verb);
  return 0;
}

int healthcheck(const AdminArguments& arguments) { return ask_and_print(arguments, "/readyz"); }
int effective_config(const AdminArguments& arguments) { return ask_and_print(arguments, "/config"); }

}  // namespace weir::cli
