#pragma once

#include <cstring>
#include <string_view>

namespace weir {

/// The name of an errno value as the manual has it: "EMFILE".
inline std::string_view errno_name(int error) {
  const char* name = ::strerrorname_np(error);
  return name ? name : "unknown";
}

}  // namespace weir
