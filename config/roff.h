#pragma once

#include <string>
#include <string_view>

namespace weir::config {

/// Text of a manual page, man(7): hyphens and backslashes are printed as they are, and words in `backquotes` bold.
std::string roff(std::string_view text);

/// The first line of a manual page. `section`: 1 for commands, 5 for files.
std::string roff_title(std::string_view page, int section, std::string_view version, std::string_view manual);

}  // namespace weir::config
