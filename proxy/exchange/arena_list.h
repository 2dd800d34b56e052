#pragma once

#include <cstdint>
#include <new>

#include "base/arena.h"

namespace weir {

/// A growing list in an arena: elements need no destructor, and move when it grows.
template <class T>
class ArenaList {
 public:
  explicit ArenaList(Arena& arena) : arena_(&arena) {}
  T& add(const T& item) {
    if (size_ == capacity_) grow();
    return *new (items_ + size_++) T(item);
  }
  T* begin() { return items_; }
  T* end() { return items_ + size_; }
  const T* begin() const { return items_; }
  const T* end() const { return items_ + size_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  void clear() { size_ = 0; }
  T& operator[](size_t i) { return items_[i]; }
  const T& operator[](size_t i) const { return items_[i]; }
  T& back() { return items_[size_ - 1]; }

 private:
  void grow() {
    const uint32_t capacity = capacity_ ? capacity_ * 2 : 2;
    auto* items = static_cast<T*>(arena_->bump(capacity * sizeof(T), alignof(T)));
    for (uint32_t i = 0; i < size_; ++i) new (items + i) T(items_[i]);
    items_ = items;
    capacity_ = capacity;
  }
  Arena* arena_;
  T* items_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
};

}  // namespace weir
