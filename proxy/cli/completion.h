#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/declared.h"

namespace weir::cli {

// Each completes the commands, the options of a command and the values of an option. A value called FILE is completed
// with names of files; a value that has allowed words, with these.
std::string bash_completion(const DeclaredProgram& program);
std::string zsh_completion(const DeclaredProgram& program);
std::string fish_completion(const DeclaredProgram& program);

bool is_file(const DeclaredOption& option);

std::string joined(const std::vector<std::string>& words, std::string_view between);
/// `text` with each `what` replaced by `with`.
std::string replaced(std::string text, std::string_view what, std::string_view with);

}  // namespace weir::cli
