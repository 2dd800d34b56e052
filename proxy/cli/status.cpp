#include <cstdio>

#include "admin/circuit_table.h"
#include "admin/status_table.h"
#include "admin/status_text.h"
#include "cli/ask_admin.h"

namespace weir::cli {

namespace {

using Text = std::expected<std::string, std::string>;

/// What the running process says of itself, in full.
struct Told {
  std::string status;
  std::string upstreams;
  std::string circuits;
};

std::expected<Told, std::string> ask_all(const AdminArguments& arguments) {
  Told told;
  const auto admin = find_admin(arguments);
  if (!admin) return std::unexpected(admin.error());
  const std::pair<const char*, std::string*> pages[] = {
      {"/status", &told.status}, {"/upstreams", &told.upstreams}, {"/circuit_breakers", &told.circuits}};
  for (const auto& [path, body] : pages) {
    auto answer = ask_admin(*admin, "GET", path);
    if (!answer) return std::unexpected(std::string(path) + ": " + answer.error());
    if (answer->status != 200) return std::unexpected(std::string(path) + ": " + answer->body);
    *body = std::move(answer->body);
  }
  return told;
}

/// All tables, an empty line between them.
Text all_of(const Told& told) {
  std::string text;
  for (const auto& part : {admin::process_text(told.status), admin::status_table(told.upstreams),
                           admin::circuit_table(told.circuits), admin::details_text(told.status)}) {
    if (!part) return part;
    if (!text.empty() && !part->empty() && !part->starts_with('\n')) text += '\n';
    text += *part;
  }
  return text;
}

}  // namespace

int status(const AdminArguments& arguments, const WhyArguments& why) {
  const auto told = ask_all(arguments);
  const auto text = !told          ? Text(std::unexpected(told.error()))
                    : why.is_asked ? admin::why_text({told->status, told->upstreams, told->circuits}, why.upstream)
                                   : all_of(*told);
  if (!text) {
    std::fprintf(stderr, "weir: %s\n", text.error().c_str());
    return 1;
  }
  std::fputs(text->c_str(), stdout);
  return 0;
}

}  // namespace weir::cli
