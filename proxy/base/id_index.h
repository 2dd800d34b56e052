#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace weir {

/// Finds items by ids that only grow, as those of HTTP/2 streams do: in O(log n). Adding and removing take constant
/// time on average, and no malloc while there are no more than there have been. Owns nothing.
template <class T>
class IdIndex {
 public:
  /// `id` is greater than any before.
  void add(uint32_t id, T& item) {
    entries_.push_back({id, &item});
    ++size_;
  }
  T* find(uint32_t id) const {
    const auto found = std::ranges::lower_bound(entries_, id, {}, &Entry::id);
    return found != entries_.end() && found->id == id ? found->item : nullptr;
  }
  void remove(uint32_t id) {
    const auto found = std::ranges::lower_bound(entries_, id, {}, &Entry::id);
    if (found == entries_.end() || found->id != id || !found->item) return;
    found->item = nullptr;
    --size_;
    if (entries_.size() < kFew + 2 * size_) return;
    std::erase_if(entries_, [](const Entry& entry) { return !entry.item; });
    if (size_ == 0 && entries_.capacity() > kKept) entries_ = {};
  }
  size_t size() const { return size_; }

 private:
  static constexpr size_t kFew = 16;   // gaps that are always put up with
  static constexpr size_t kKept = 64;  // room that stays while it is empty

  struct Entry {
    uint32_t id;
    T* item;  // null once it is removed
  };
  std::vector<Entry> entries_;  // by id
  size_t size_ = 0;             // without the gaps
};

}  // namespace weir
