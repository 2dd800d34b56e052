#pragma once

#include <cstddef>
#include <cstdint>

namespace weir::net {

/// What one read or write came to.
struct Transfer {
  enum class State : uint8_t { moved, blocked, ended, failed } state;
  size_t bytes = 0;  // with `moved`
  int error = 0;     // errno, with `failed`
};

}  // namespace weir::net
