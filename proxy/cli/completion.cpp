#include "cli/completion.h"

#include <cstdio>

namespace weir::cli {

std::string joined(const std::vector<std::string>& words, std::string_view between) {
  std::string out;
  for (const auto& word : words) {
    if (!out.empty()) out += between;
    out += word;
  }
  return out;
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
    text.replace(at, what.size(), with);
  return text;
}

bool is_file(const DeclaredOption& option) { return option.value == "FILE"; }

int print_completion(const DeclaredProgram& program, const std::string& shell) {
  const auto completion = shell == "bash" ? bash_completion : shell == "zsh" ? zsh_completion : fish_completion;
  std::fputs(completion(program).c_str(), stdout);
  return 0;
}

}  // namespace weir::cli
