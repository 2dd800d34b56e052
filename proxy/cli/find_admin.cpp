#include "cli/find_admin.h"

#include <cstdio>

#include "base/read_file.h"
#include "runtime/configuration.h"

namespace weir::cli {

namespace {

using Failed = std::unexpected<std::string>;

constexpr size_t kLargest = 4 << 20;
constexpr std::string_view kNotAsked = "the running process was not asked, and serves what it served before";
constexpr std::string_view kHint = "name the address of its admin API with --admin ADDRESS";

struct AdminAlone {
  std::optional<runtime::AdminSettings> admin;
};
void decode(config::Reader& r, AdminAlone& out) { r.optional("admin", out.admin, "the admin API"); }

/// The lines from `admin:` to the next line that begins in the first column.
std::string admin_lines(std::string_view text) {
  constexpr std::string_view kKey = "admin:";
  std::string lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size() - 1) + 1;
    const auto line = text.substr(0, end);
    text.remove_prefix(end);
    const bool is_inside = line.starts_with(' ') || line.starts_with('#') || line.starts_with('\n');
    if (lines.empty() ? line.starts_with(kKey) : is_inside) lines += line;
    else if (!lines.empty()) break;
  }
  return lines;
}

/// Of a file that is not YAML as a whole.
std::optional<runtime::AdminSettings> admin_of_broken(const std::string& file) {
  const auto text = read_file(file, kLargest);
  if (!text) return std::nullopt;
  config::Problems problems;
  const auto document = config::load_text(file, admin_lines(*text), problems);
  auto alone = config::decode_document<AdminAlone>(document, problems);
  return problems.empty() ? std::move(alone.admin) : std::nullopt;
}

std::expected<Admin, std::string> with_token(const std::string& file, Admin admin) {
  auto token = runtime::read_token(file);
  if (!token) return Failed("'" + file + "' " + token.error());
  admin.token = std::move(*token);
  return admin;
}

std::expected<Admin, std::string> with_token_of(const AdminArguments& arguments, const runtime::AdminSettings& settings,
                                                const std::string& folder) {
  if (!arguments.token_file.empty()) return with_token(arguments.token_file, {settings.address, ""});
  auto token = runtime::read_token(settings, folder);
  if (!token) return Failed("'" + *settings.token_file + "' " + token.error());
  return Admin{settings.address, std::move(*token)};
}

/// "weir.yaml:2:6: not YAML: …" of the first.
std::string first_of(const config::Problems& problems) {
  std::string text;
  problems.for_each([&](const config::Problem& problem, std::string_view place) {
    if (text.empty()) text = std::string(place) + ": " + problem.message;
  });
  return text;
}

}  // namespace

std::expected<Admin, std::string> find_admin(const AdminArguments& arguments) {
  if (!arguments.admin.empty()) {
    const auto address = net::Address::parse(arguments.admin);
    if (!address) return Failed("'" + arguments.admin + "' is not an address");
    if (arguments.token_file.empty()) return Admin{*address, ""};
    return with_token(arguments.token_file, {*address, ""});
  }
  config::Problems problems;
  const auto loaded = runtime::load(arguments.file, problems);
  if (const auto& admin = loaded.configuration.admin; admin && admin->address.size() > 0)
    return with_token_of(arguments, *admin, loaded.folder);
  if (problems.empty()) return Failed(arguments.file + " has no admin: section; " + std::string(kHint));
  if (const auto admin = admin_of_broken(arguments.file); admin && admin->address.size() > 0) {
    std::fprintf(stderr, "weir: %s; the address %s is that of its admin: section\n", first_of(problems).c_str(),
                 admin->address.text().c_str());
    return with_token_of(arguments, *admin, loaded.folder);
  }
  return Failed("no admin: section can be read from this file\n" + problems.text(kNotAsked) + std::string(kHint));
}

}  // namespace weir::cli
