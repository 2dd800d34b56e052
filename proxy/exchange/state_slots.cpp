#include "exchange/state_slots.h"

#include <algorithm>

namespace weir {

std::vector<std::shared_ptr<void>> StateSlots::live_slots(const Key& key) {
  auto& slots = slots_[key];
  std::erase_if(slots, [](const auto& slot) { return slot.expired(); });
  std::vector<std::shared_ptr<void>> live;
  for (auto slot = slots.rbegin(); slot != slots.rend(); ++slot) {
    if (auto held = slot->lock()) live.push_back(std::move(held));
  }
  return live;
}

void StateSlots::forget_gone() {
  for (auto& [key, slots] : slots_) std::erase_if(slots, [](const auto& slot) { return slot.expired(); });
  std::erase_if(slots_, [](const auto& named) { return named.second.empty(); });
  sweep_.done(slots_.size());
}

}  // namespace weir
