#pragma once

#include <optional>
#include <string_view>

#include "base/error.h"

namespace weir {

/// What an operator is told of an ErrorCode: README.md has it as a table, `weir status --why` beside what happened.
struct Advice {
  ErrorCode code;
  std::string_view meaning;
  std::string_view next_step;
};
const Advice& advice_on(ErrorCode code);
/// The code of that name: "circuit_open".
std::optional<ErrorCode> find_error(std::string_view name);

}  // namespace weir
