#pragma once

#include <optional>
#include <string_view>

#include "base/arena.h"

namespace weir::plugins {

/// A URL as somebody wrote it in the form that stored responses are known by: "https://host[:port]/path?query", scheme
/// and host in lower case, without the scheme's own port, the path in its normal form, the query as it is. In the
/// arena. Nothing when it is no http or https URL, or has userinfo, a fragment, or a path that no request may have.
std::optional<std::string_view> url_of(std::string_view text, Arena& arena);

/// The same of what such URLs begin with, whose path is as it is: what it ends in may only be the half of something.
std::optional<std::string_view> url_prefix_of(std::string_view text, Arena& arena);

}  // namespace weir::plugins
