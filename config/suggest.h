#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/located.h"
#include "config/names.h"
#include "config/problems.h"

namespace weir::config {

/// The candidate that someone who typed `word` most likely meant; empty when none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// "did you mean 'burst'? ", the hint for a word of another proxy, or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

/// A Problem at `name` unless it is one of `known`: "no upstream is named 'apii'".
void check_known(std::string_view what, const std::string& name, const Location& at, const NameSet& known,
                 Problems& problems);

/// "rate, burst, key"
std::string join(const std::vector<std::string>& words);
/// The same of the first `most`: "rate, burst and 3 more".
std::string join_first(const std::vector<std::string>& words, size_t most);

}  // namespace weir::config
