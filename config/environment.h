#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/loader.h"

namespace weir::config {

/// A text with `${NAME}` and `${NAME:-default}` put in; `$$` is a dollar, and so is one before anything else.
struct Expanded {
  std::string text;
  std::string masked;               // the same with a mask in place of each value
  std::vector<std::string> values;  // of the variables, or their defaults
  std::string missing;              // the first name that isn't set and has no default
  bool unclosed = false;
};
Expanded expand(std::string_view text, const Environment& environment);

}  // namespace weir::config
