#pragma once

#include <atomic>
#include <cstdint>

#include "base/list.h"
#include "plugins/cache/storage/ghosts.h"

namespace weir::plugins {

/// What a cache keeps and what it lets go, by the bytes that each thing takes: S3-FIFO (Yang et al., "FIFO queues are
/// all you need for cache eviction", SOSP 2023). New things stand in a small queue, from which those that were used
/// meanwhile move on to the main one; the rest go, and are remembered for a while, so that one that comes back goes to
/// the main queue at once. So a scan passes through the small queue and leaves the rest alone. A use is one relaxed
/// store; the rest is not thread-safe: a shard has a mutex.
class Eviction {
 public:
  struct Item : ListNode {
    uint64_t hash = 0;   // of its key: to know it again
    uint32_t bytes = 0;  // all that it takes; the same for as long as it is in

   private:
    friend Eviction;
    enum class Place : uint8_t { nowhere, small, main } place_ = Place::nowhere;
    std::atomic<uint8_t> uses_ = 0;  // since it came into its queue; at most 3
  };

  explicit Eviction(size_t most_bytes);

  void add(Item& item);
  /// Does nothing for one that isn't in.
  void remove(Item& item);
  static void use(Item& item);
  /// The next to go, taken out, while there is more than the bound less `room`; else null.
  Item* evict(size_t room = 0);

  size_t bytes() const { return small_.bytes + main_.bytes; }

 private:
  struct Queue {
    List<Item> items;  // oldest first
    size_t bytes = 0;
    size_t count = 0;

    void push(Item& item);
    void drop(Item& item);
  };
  void enter(Item& item, Item::Place place);
  Queue& queue_of(Item::Place place) { return place == Item::Place::main ? main_ : small_; }
  Item* leave_small();
  Item* leave_main();

  const size_t most_bytes_;
  Queue small_;
  Queue main_;
  Ghosts ghosts_;
};

}  // namespace weir::plugins
