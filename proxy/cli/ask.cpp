#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "admin/reload_text.h"
#include "cli/ask_admin.h"
#include "cli/order_text.h"

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
  const auto admin = find_admin(arguments);
  if (!admin) return fail(admin.error());
  const auto answer = ask_admin(*admin, "GET", path);
  if (!answer) return fail(answer.error());
  const bool ok = answer->status == 200;
  std::fputs(answer->body.c_str(), ok ? stdout : stderr);
  return ok ? 0 : 1;
}

}  // namespace

int reload(const AdminArguments& arguments) {
  const auto admin = find_admin(arguments);
  if (!admin) return fail(admin.error());
  const auto answer = ask_admin(*admin, "POST", "/reload" + query_of(arguments));
  if (!answer) return fail(answer.error());
  if (answer->status != 200 && answer->status != 409 && answer->status != 422) return fail("/reload: " + answer->body);
  const auto text = admin::reload_text(answer->body);
  if (!text) return fail(text.error());
  const bool ok = answer->status == 200;
  std::fputs(text->c_str(), ok ? stdout : stderr);
  return ok ? 0 : 1;
}

int order(const AdminArguments& arguments, const EndpointArguments& endpoint, const char* verb) {
  const auto admin = find_admin(arguments);
  if (!admin) return fail(admin.error());
  const auto answer =
      ask_admin(*admin, "POST",
                "/upstreams/" + escaped(endpoint.upstream) + "/endpoints/" + escaped(endpoint.endpoint) + "/" + verb);
  if (!answer) return fail(answer.error());
  if (answer->status != 200 && answer->status != 404) return fail(answer->body);
  const auto upstreams = ask_admin(*admin, "GET", "/upstreams");
  if (!upstreams) return fail(upstreams.error());
  try {
    if (answer->status == 404) return fail(unknown_endpoint(upstreams->body, endpoint.upstream, endpoint.endpoint));
    std::fputs(order_text(upstreams->body, endpoint.upstream, endpoint.endpoint).c_str(), stdout);
  } catch (const nlohmann::json::exception& problem) {
    return fail(std::string("not a response of /upstreams: ") + problem.what());
  }
  return 0;
}

int healthcheck(const AdminArguments& arguments) { return ask_and_print(arguments, "/readyz"); }
int effective_config(const AdminArguments& arguments) { return ask_and_print(arguments, "/config"); }

}  // namespace weir::cli
