#include <cstdio>

#include "cli/cli.h"
#include "cli/completion.h"
#include "config/roff.h"
#include "config/schema.h"
#include "runtime/configuration.h"
#include "runtime/version.h"

namespace weir::cli {

namespace {

using config::roff;

std::string value_of(const DeclaredOption& option) {
  return option.words.empty() ? option.value : joined(option.words, "|");
}

/// "-c FILE", "METHOD": a part of the synopsis.
std::string usage(const DeclaredOption& option) {
  if (option.names.empty()) return roff(option.value);
  const std::string value = value_of(option);
  return roff("`" + option.names.front() + "`" + (value.empty() ? "" : " " + value));
}

std::string usage(const DeclaredCommand& command) {
  std::string out = roff("`weir " + command.name + "`");
  for (const auto* options : {&command.options, &command.arguments}) {
    for (const auto& option : *options) {
      if (option.names.empty() || option.names.front() != "-h")
        out += option.is_required ? " " + usage(option) : " [" + usage(option) + "]";
    }
  }
  return out + "\n";
}

std::string entry(const DeclaredOption& option) {
  std::string head = option.names.empty() ? option.value : "`" + joined(option.names, "`, `") + "`";
  if (const auto value = value_of(option); !option.names.empty() && !value.empty()) head += " " + value;
  std::string about = option.about;
  if (!option.fallback.empty()) about += " (default `" + option.fallback + "`)";
  return ".TP\n" + roff(head) + "\n" + roff(about) + "\n";
}

std::string section(const DeclaredCommand& command) {
  std::string out = ".SS " + roff("weir " + command.name) + "\n" + usage(command) + ".PP\n" + roff(command.about);
  out += "\n";
  for (const auto* options : {&command.arguments, &command.options}) {
    for (const auto& option : *options) {
      if (option.names.empty() || option.names.front() != "-h") out += entry(option);
    }
  }
  return out;
}

std::string program_page(const DeclaredProgram& program) {
  std::string out = config::roff_title("weir", 1, runtime::kVersion, "User Commands");
  out += ".SH NAME\nweir \\- " + roff(program.about) + "\n";
  out += ".SH SYNOPSIS\n" + roff("`weir` COMMAND [OPTION...] [ARGUMENT...]") + "\n";
  out += ".SH DESCRIPTION\n" + roff("Weir serves what its configuration says: see") + "\n.BR weir.yaml (5).\n";
  for (const auto& option : program.options) out += entry(option);
  out += ".SH COMMANDS\n";
  for (const auto& command : program.commands) out += section(command);
  out += ".SH NOTES\n" + roff(program.notes) + "\n";
  out += ".SH EXIT STATUS\n.TP\n0\ndone\n.TP\n1\nfailed\n.TP\n2\nwrong usage of the command line\n";
  out += ".SH FILES\n.TP\n.I " + roff(kDefaultFile) + "\nthe configuration\n";
  return out + ".SH SEE ALSO\n.BR weir.yaml (5)\n";
}

}  // namespace

int print_manual(const DeclaredProgram& program, const std::string& page) {
  const auto text = page == "weir" ? program_page(program)
                                   : config::manual_page(config::describe<runtime::Configuration>(runtime::tables()),
                                                         runtime::kVersion);
  std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace weir::cli
