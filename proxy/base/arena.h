#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string_view>
#include <utility>

#include "base/buffer.h"

namespace weir {

/// Memory of one exchange: borrowed in blocks from its worker, given back as a whole. Two ways in:
/// `bump` for what lives as long as the exchange (heads, header tables), `take`/`give` for coroutine
/// frames, which come from free lists by size class so that a frame's memory serves the next one.
/// Runs no destructors: who `make`s something with one calls it. One thread.
class Arena {
 public:
  explicit Arena(BlockPool& pool) : pool_(pool) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  void* bump(size_t size, size_t alignment = alignof(std::max_align_t));
  template <class T, class... Args>
  T& make(Args&&... args) {
    return *new (bump(sizeof(T), alignof(T))) T(std::forward<Args>(args)...);
  }
  /// So many of them, as T{} has them. T needs no destructor.
  template <class T>
  std::span<T> make_list(size_t count) {
    auto* const items = static_cast<T*>(bump(count * sizeof(T), alignof(T)));
    for (size_t i = 0; i < count; ++i) new (items + i) T{};
    return {items, count};
  }
  std::string_view copy(std::string_view text);
  /// Joins the parts to one text.
  std::string_view concat(std::initializer_list<std::string_view> parts);
  /// Makes what ends at `end` longer by `more` bytes. False when something lies behind it, or its block is full.
  bool extend(const char* end, size_t more) {
    if (!end || end != at_ || more > static_cast<size_t>(end_ - at_)) return false;
    at_ += more;
    return true;
  }

  void* take(size_t size);
  void give(void* memory, size_t size) noexcept;

  /// Bytes borrowed from the worker and the system.
  size_t footprint() const { return footprint_; }

 private:
  static constexpr size_t kClass = 128;   // frames are rounded up to this
  static constexpr size_t kClasses = 24;  // below 3 KiB; larger ones come from malloc
  struct Free {
    Free* next;
  };
  struct Chunk {  // at the start of each borrowed block
    BlockRef block;
    Chunk* next;
  };
  struct Large {  // at the start of each oversized allocation
    Large* next;
  };

  void* bump_slow(size_t size, size_t alignment);

  BlockPool& pool_;
  char* at_ = nullptr;
  char* end_ = nullptr;
  Chunk* chunks_ = nullptr;
  Large* large_ = nullptr;
  size_t footprint_ = 0;
  std::array<Free*, kClasses> free_{};
};

inline void* Arena::bump(size_t size, size_t alignment) {
  auto at = (reinterpret_cast<uintptr_t>(at_) + alignment - 1) & ~(alignment - 1);
  if (!at_ || at + size > reinterpret_cast<uintptr_t>(end_)) return bump_slow(size, alignment);
  at_ = reinterpret_cast<char*>(at + size);
  return reinterpret_cast<void*>(at);
}

}  // namespace weir
