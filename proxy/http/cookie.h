#pragma once

#include <optional>
#include <string_view>

#include "http/headers.h"

namespace weir::http {

/// The value of the first cookie of that name in the Cookie fields (RFC 6265 section 4.2), as it was sent, without
/// quotes around it. Names are compared with case. A view of the headers.
std::optional<std::string_view> find_cookie(const Headers& headers, std::string_view name);

}  // namespace weir::http
