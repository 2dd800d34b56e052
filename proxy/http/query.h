#pragma once

#include <optional>
#include <string_view>

#include "base/arena.h"

namespace weir::http {

/// The raw value of the first parameter of that name in a query ("a=1&b=2"); "" for a bare name. The name in the
/// query may be escaped; `name` is plain.
std::optional<std::string_view> find_parameter(std::string_view query, std::string_view name);

/// The value as it was meant: %XX and '+' resolved, in `arena` when that changes anything. A broken escape
/// stands for itself.
std::string_view decode_parameter(std::string_view raw, Arena& arena);

}  // namespace weir::http
