#pragma once

#include <chrono>
#include <string>

#include "async/clock.h"
#include "base/wall_clock_text.h"

namespace weir::runtime {

/// Moments of the steady clock, and of the wall, as text.
class Wall {
 public:
  explicit Wall(const Clock& clock) : clock_(clock) {}
  std::string text(Time when) {
    const auto passed = clock_.now() - when;
    return text(clock_.wall() - std::chrono::duration_cast<std::chrono::milliseconds>(passed));
  }
  std::string text(WallClockText::Instant when) { return std::string(text_.rfc3339(when)); }

 private:
  const Clock& clock_;
  WallClockText text_;
};

inline double milliseconds(Duration duration) { return duration / std::chrono::duration<double, std::milli>(1); }

}  // namespace weir::runtime
