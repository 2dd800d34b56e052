#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace weir::cli {

/// The command line as plain values, read from its declarations in cli.cpp: what manual pages and completions are
/// generated from.
struct DeclaredOption {
  std::vector<std::string> names;  // "-c", "--config"; none: an argument by position
  std::string value;               // "FILE"; empty: a flag, which takes none
  std::vector<std::string> words;  // the only values allowed, when there are such
  std::string fallback;
  std::string about;
  bool is_required = false;
};

struct DeclaredCommand {
  std::string name;
  std::string about;
  std::vector<DeclaredOption> options;
  std::vector<DeclaredOption> arguments;
};

struct DeclaredProgram {
  std::string about;
  std::string notes;
  std::vector<DeclaredOption> options;  // of the program itself
  std::vector<DeclaredCommand> commands;
};

DeclaredProgram declared(const CLI::App& app);

// Two subcommands, which print a document each.
/// `page`: weir, for weir(1), or weir.yaml, for weir.yaml(5); in man(7).
int print_manual(const DeclaredProgram& program, const std::string& page);
/// `shell`: bash, zsh or fish.
int print_completion(const DeclaredProgram& program, const std::string& shell);

}  // namespace weir::cli
