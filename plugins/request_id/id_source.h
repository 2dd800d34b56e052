#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace weir::plugins {

/// Makes UUIDs of version 7 (RFC 9562 section 5.7): the time in milliseconds, then random bits. Seeded once by the
/// kernel, so no system call for each. Unique, but not secret. One thread.
class IdSource {
 public:
  struct Settings {};
  static bool compatible(const Settings&, const Settings&) { return true; }

  explicit IdSource(const Settings& = {});

  using Text = std::array<char, 36>;
  Text next(std::chrono::system_clock::time_point now);

 private:
  uint64_t random();
  uint64_t state_[2];
};

}  // namespace weir::plugins
