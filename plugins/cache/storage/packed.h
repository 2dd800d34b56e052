#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "plugins/cache/storage/object.h"

namespace weir::plugins {

/// The two clocks at one moment: objects count by the one, processes agree on the other.
struct Moments {
  Time now{};
  std::chrono::system_clock::time_point wall;
};

/// A whole object as one text, with the key that it is kept under, for a store that other processes read.
std::string pack(const Object& object, std::string_view key, std::string_view purge_id, const Moments& at);

struct Unpacked {
  std::shared_ptr<Object> object;
  std::string_view purge_id;  // in the text
};
/// Nothing when the text isn't one of these, is of another version, or is kept under another key.
std::optional<Unpacked> unpack(std::string_view text, std::string_view key, const Moments& at, Arena& arena);

}  // namespace weir::plugins
