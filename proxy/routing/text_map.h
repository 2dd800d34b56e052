#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/hash.h"

namespace weir::routing {

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return hash(text); }
};

/// By text, looked up by a view of it: no malloc. Its keys come from the configuration alone.
template <class T>
using TextMap = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

}  // namespace weir::routing
