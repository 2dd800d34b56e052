#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::config {

/// The candidate that someone who typed `word` most likely meant; empty when none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// "did you mean 'burst'? " or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

/// "rate, burst, key"
std::string join(const std::vector<std::string>& words);

}  // namespace weir::config
