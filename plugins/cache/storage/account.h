#pragma once

#include <atomic>
#include <cstdint>

#include "plugins/cache/storage/loose_bodies.h"

namespace weir::plugins {

/// By what a cache's memory is taken, in bytes. Outlives the shelf, as what is read does. Any thread.
struct Account {
  std::atomic<int64_t> kept = 0;     // by what is on the shelf
  std::atomic<int64_t> loose = 0;    // by bodies that aren't: on their way, or gone from it while somebody reads them
  std::atomic<uint32_t> coming = 0;  // long bodies on their way from the store
  LooseBodies bodies;                // that are loose

  int64_t total() const { return kept.load(std::memory_order_relaxed) + loose.load(std::memory_order_relaxed); }
};

}  // namespace weir::plugins
