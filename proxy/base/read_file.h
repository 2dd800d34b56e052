#pragma once

#include <cstddef>
#include <expected>
#include <string>

#include "base/units.h"

namespace weir {

inline constexpr Duration kForPipes = std::chrono::seconds(5);

/// The content of a file, its first `most` bytes at least. Nothing waits for a pipe for longer than `patience`: a named
/// pipe that nobody writes is an error or empty. Otherwise the reason, for the engineer.
std::expected<std::string, std::string> read_file(const std::string& path, size_t most, Duration patience = kForPipes);

}  // namespace weir
