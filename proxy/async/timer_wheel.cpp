#include "async/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace weir {

void TimerWheel::insert(TimerNode& timer, uint64_t tick) {
  timer.tick = std::max(tick, now_ + 1);
  place(timer);
}

void TimerWheel::place(TimerNode& timer) {
  const uint64_t differing = timer.tick ^ now_;
  const int highest = 63 - std::countl_zero(differing | 1);
  const int level = std::min(highest / kBits, kLevels - 1);
  const int index = static_cast<int>((timer.tick >> (level * kBits)) & (kSlots - 1));
  occupied_[level] |= uint64_t{1} << index;
  slots_[level][index].push_back(timer);
}

std::optional<TimerWheel::Slot> TimerWheel::next_slot() {
  for (int level = 0; level < kLevels; ++level) {
    while (occupied_[level]) {
      const int index = std::countr_zero(occupied_[level]);
      if (slots_[level][index].is_empty()) {
        occupied_[level] &= ~(uint64_t{1} << index);
        continue;
      }
      const int shift = level * kBits;
      const uint64_t above = shift + kBits >= 64 ? 0 : (now_ >> (shift + kBits)) << (shift + kBits);
      return Slot{level, index, std::max(above | (static_cast<uint64_t>(index) << shift), now_)};
    }
  }
  return std::nullopt;
}

std::optional<uint64_t> TimerWheel::next() {
  const auto slot = next_slot();
  return slot ? std::optional(slot->tick) : std::nullopt;
}

void TimerWheel::advance(uint64_t to, List<Ready>& due) {
  while (const auto slot = next_slot()) {
    if (slot->tick > to) break;
    now_ = slot->tick;
    List<TimerNode> moved;
    moved.splice(slots_[slot->level][slot->index]);
    occupied_[slot->level] &= ~(uint64_t{1} << slot->index);
    while (TimerNode* timer = moved.pop_front()) {
      if (timer->tick <= now_) {
        due.push_back(*timer);
      } else {
        place(*timer);
      }
    }
  }
  now_ = std::max(now_, to);
}

}  // namespace weir
