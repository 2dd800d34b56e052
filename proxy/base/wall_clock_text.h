#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace weir {

/// The wall clock as text in UTC, its date made anew once a second. A text lives until the next call. One thread.
class WallClockText {
 public:
  using Instant = std::chrono::system_clock::time_point;
  std::string_view rfc3339(Instant when);  // 1994-11-06T08:49:37.250Z
  std::string_view common(Instant when);   // 06/Nov/1994:08:49:37 +0000

 private:
  void render(Instant when);

  int64_t second_ = INT64_MIN;
  char rfc3339_[32];
  char common_[32];
  size_t common_size_ = 0;
};

}  // namespace weir
