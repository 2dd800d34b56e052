#pragma once

namespace weir::runtime {

inline constexpr const char* kVersion = WEIR_VERSION;

}  // namespace weir::runtime
