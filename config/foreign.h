#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::config {

/// What Weir has for a word of another proxy's configuration (`proxy_pass`, `leastconn`, `middlewares`): a hint that
/// ends with a space, or "". `known`: the words that are possible at this place.
std::string foreign_word(std::string_view word, const std::vector<std::string>& known);

/// What Weir has for the first variable of another proxy in `text` (`$host`, `%[src]`, `{1}`): a hint, or "". `text` is
/// as written: `$$` is a dollar sign and `${NAME}` is the environment.
std::string foreign_variable(std::string_view text);

/// Whether `name` is the number of a group, which other proxies write as `$1`, `${1}` or `{1}`.
bool is_group_number(std::string_view name);

}  // namespace weir::config
