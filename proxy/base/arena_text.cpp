#include "base/arena_text.h"

#include <algorithm>

namespace weir {

void ArenaText::grow(size_t more) {
  const size_t missing = more - static_cast<size_t>(end_ - at_);
  if (arena_.extend(end_, missing)) {
    end_ += missing;
    return;
  }
  const size_t used = size();
  const size_t room = std::max(used + more, 2 * used);
  auto* const bytes = static_cast<char*>(arena_.bump(room, 1));
  if (used > 0) std::memcpy(bytes, start_, used);
  start_ = bytes;
  at_ = bytes + used;
  end_ = bytes + room;
}

}  // namespace weir
