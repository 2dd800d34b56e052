#include "cli/declared.h"

#include <CLI/CLI.hpp>

namespace weir::cli {

namespace {

/// CLI11 writes the type and the allowed words as one text: "FILE", "TEXT:{text,json}".
std::vector<std::string> words_of(const std::string& type) {
  const auto open = type.find('{'), close = type.rfind('}');
  if (open == std::string::npos || close == std::string::npos) return {};
  return CLI::detail::split(type.substr(open + 1, close - open - 1), ',');
}

DeclaredOption declared(const CLI::Option& option) {
  DeclaredOption out;
  for (const auto& name : option.get_snames()) out.names.push_back("-" + name);
  for (const auto& name : option.get_lnames()) out.names.push_back("--" + name);
  const std::string type = option.get_type_name();
  if (option.get_type_size_max() > 0) out.value = type.substr(0, type.find(':'));
  if (!option.nonpositional()) out.value = option.get_name();
  out.words = words_of(type);
  out.fallback = option.get_default_str();
  out.about = option.get_description();
  out.is_required = option.get_required();
  return out;
}

DeclaredCommand declared_command(const CLI::App& app) {
  DeclaredCommand out{app.get_name(), app.get_description(), {}, {}};
  for (const auto* option : app.get_options()) {
    (option->nonpositional() ? out.options : out.arguments).push_back(declared(*option));
  }
  return out;
}

}  // namespace

DeclaredProgram declared(const CLI::App& app) {
  auto own = declared_command(app);
  DeclaredProgram out{std::move(own.about), app.get_footer(), std::move(own.options), {}};
  for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; }))
    out.commands.push_back(declared_command(*command));
  return out;
}

}  // namespace weir::cli
