#pragma once

#include <algorithm>
#include <cassert>
#include <string_view>

#include "base/arena.h"

namespace weir::plugins {

/// Writes a text whose largest size is known into an arena, without moving it as it grows.
class TextWriter {
 public:
  TextWriter(Arena& arena, size_t most)
      : start_(static_cast<char*>(arena.bump(most, 1))), at_(start_), end_(at_ + most) {}

  TextWriter& operator<<(std::string_view more) {
    assert(more.size() <= static_cast<size_t>(end_ - at_));
    at_ = std::ranges::copy(more, at_).out;
    return *this;
  }
  bool empty() const { return at_ == start_; }
  std::string_view text() const { return {start_, static_cast<size_t>(at_ - start_)}; }

 private:
  char* const start_;
  char* at_;
  [[maybe_unused]] const char* const end_;  // where nothing is asserted
};

}  // namespace weir::plugins
