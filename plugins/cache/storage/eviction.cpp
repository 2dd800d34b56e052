#include "plugins/cache/storage/eviction.h"

#include <algorithm>

namespace weir::plugins {

namespace {

constexpr size_t kSmallShare = 10;  // the small queue's, of the bytes: one in so many
constexpr uint8_t kMostUses = 3;
constexpr int kMostSpared = 256;  // things in a row that were used, before one has to go nevertheless

}  // namespace

Eviction::Eviction(size_t most_bytes) : most_bytes_(most_bytes) {}

void Eviction::add(Item& item) { enter(item, ghosts_.take(item.hash) ? Item::Place::main : Item::Place::small); }

void Eviction::remove(Item& item) {
  if (item.place_ == Item::Place::nowhere) return;
  queue_of(item.place_).drop(item);
  item.place_ = Item::Place::nowhere;
}

/// Of two at once one may be missed.
void Eviction::use(Item& item) {
  const auto uses = item.uses_.load(std::memory_order_relaxed);
  if (uses < kMostUses) item.uses_.store(uses + 1, std::memory_order_relaxed);
}

Eviction::Item* Eviction::evict(size_t room) {
  const size_t bound = most_bytes_ - std::min(room, most_bytes_);
  while (bytes() > bound) {
    const bool is_small_full = small_.bytes > most_bytes_ / kSmallShare;
    Item* gone = is_small_full || main_.items.is_empty() ? leave_small() : leave_main();
    if (gone) return gone;
  }
  return nullptr;
}

void Eviction::enter(Item& item, Item::Place place) {
  item.place_ = place;
  item.uses_.store(0, std::memory_order_relaxed);
  queue_of(place).push(item);
}

/// Null when it moved on.
Eviction::Item* Eviction::leave_small() {
  Item& oldest = small_.items.front();
  remove(oldest);
  if (oldest.uses_.load(std::memory_order_relaxed) > 0) {
    enter(oldest, Item::Place::main);
    return nullptr;
  }
  ghosts_.add(oldest.hash, small_.count + main_.count);
  return &oldest;
}

Eviction::Item* Eviction::leave_main() {
  for (int spared = 0;; ++spared) {
    Item& oldest = main_.items.front();
    const auto uses = oldest.uses_.load(std::memory_order_relaxed);
    if (uses == 0 || spared == kMostSpared) {
      remove(oldest);
      return &oldest;
    }
    oldest.uses_.store(uses - 1, std::memory_order_relaxed);
    main_.items.push_back(oldest);
  }
}

void Eviction::Queue::push(Item& item) {
  items.push_back(item);
  bytes += item.bytes;
  ++count;
}

void Eviction::Queue::drop(Item& item) {
  item.unlink();
  bytes -= item.bytes;
  --count;
}

}  // namespace weir::plugins
