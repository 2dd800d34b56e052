#pragma once

#include <cstring>
#include <string_view>

#include "base/arena.h"

namespace weir {

/// A text that grows in an arena: in place while the arena has given out nothing behind it, else it moves to room for
/// twice as much. However many pieces it has, it takes at most four times its size.
class ArenaText {
 public:
  explicit ArenaText(Arena& arena) : arena_(arena) {}
  /// With room for `room` bytes from the start: for a text whose largest size is known.
  ArenaText(Arena& arena, size_t room) : arena_(arena) {
    if (room > 0) grow(room);
  }
  ArenaText(const ArenaText&) = delete;
  ArenaText& operator=(const ArenaText&) = delete;

  ArenaText& operator<<(std::string_view more) {
    if (more.empty()) return *this;
    if (more.size() > static_cast<size_t>(end_ - at_)) grow(more.size());
    std::memcpy(at_, more.data(), more.size());
    at_ += more.size();
    return *this;
  }
  bool empty() const { return at_ == start_; }
  size_t size() const { return static_cast<size_t>(at_ - start_); }
  /// Valid as long as the arena, whatever is written behind it.
  std::string_view text() const { return {start_, size()}; }

 private:
  void grow(size_t more);

  Arena& arena_;
  char* start_ = nullptr;
  char* at_ = nullptr;
  char* end_ = nullptr;
};

}  // namespace weir
