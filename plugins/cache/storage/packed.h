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

/// A body that the store keeps in pieces beside the head: copying a long body in one turn would delay the worker.
struct Pieces {
  uint64_t id = 0;    // at the start of each piece, so that pieces of two bodies are never mixed
  uint64_t size = 0;  // bytes of the whole body
};

/// An object as text, with the key that the object is kept under, for a store that other processes read. The body is in
/// the text unless `pieces` is given.
std::string pack(const Object& object, std::string_view key, std::string_view purge_id, const Moments& at,
                 std::optional<Pieces> pieces = std::nullopt);

struct Unpacked {
  std::shared_ptr<Object> object;
  std::string_view purge_id;     // in the text
  std::optional<Pieces> pieces;  // the body is empty and grows until the caller has appended them
};
/// Nothing when the text isn't one of these, is of another version, or is kept under another key.
std::optional<Unpacked> unpack(std::string_view text, std::string_view key, const Moments& at, Arena& arena);

}  // namespace weir::plugins
