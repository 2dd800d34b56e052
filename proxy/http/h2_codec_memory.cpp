#include "http/h2_codec_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "base/poison.h"
#include "http/h2_codec_session.h"

// Of a slot of pages, the first belong to nghttp2's frame buffer, the others are a heap: chunks one behind another, and
// for each size a list of the free ones. Packed, the heap is the list of its chunks, each live one with its words that
// aren't 0, and a bit for each of them; most of what a session keeps is 0. Free chunks hold nothing.

namespace weir::http {

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kFrames = 5 * kPage;  // a frame of 16 KiB with its head, at any offset
constexpr size_t kHeap = 10 * kPage;
constexpr size_t kSlot = kFrames + kHeap + kPage;  // and a page of room for offsets
constexpr size_t kLeastFrames = 16 * 1024;         // nothing else that a new session allocates is as large
constexpr size_t kMostFrames = kLeastFrames + 64;
constexpr size_t kSlotsAtOnce = 32;
constexpr size_t kWarmSlots = 64;  // free ones that keep their pages

constexpr size_t kUnit = 16;     // chunks are multiples of it
constexpr size_t kClasses = 33;  // of chunks that are used again: up to 512 bytes
constexpr size_t kWordsAtOnce = 64;

/// Slots of pages, for all threads. Their address space is never given back, only the pages are.
class Slots {
 public:
  char* take() {
    const std::lock_guard lock(mutex_);
    if (warm_.empty() && cold_.empty()) map_more();
    auto& from = warm_.empty() ? cold_ : warm_;
    char* const slot = from.back();
    from.pop_back();
    return slot;
  }
  void give(char* slot) {
    unpoison(slot, kSlot);
    const std::lock_guard lock(mutex_);
    if (warm_.size() < kWarmSlots) return warm_.push_back(slot);
    ::madvise(slot, kSlot, MADV_DONTNEED);
    cold_.push_back(slot);
  }

 private:
  void map_more() {
    constexpr size_t kBytes = kSlotsAtOnce * kSlot;
    void* const pages = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) throw std::bad_alloc();
    ::madvise(pages, kBytes, MADV_NOHUGEPAGE);  // idle sessions need few of them
    search_for_pointers(pages, kBytes);
    for (size_t i = 0; i < kSlotsAtOnce; ++i) cold_.push_back(static_cast<char*>(pages) + i * kSlot);
  }

  std::mutex mutex_;
  std::vector<char*> warm_;
  std::vector<char*> cold_;
};

/// Never destroyed: sessions may outlive what is static.
Slots& slots() {
  alignas(Slots) static char room[sizeof(Slots)];
  static Slots& slots = *new (room) Slots;
  return slots;
}

/// What began at the same offset of a page in each slot would share a few lines of the cache.
size_t offset_of(const char* slot) { return reinterpret_cast<uintptr_t>(slot) / kSlot % 32 * 64; }

}  // namespace

/// In front of each block. Its own size is a multiple of the unit less itself, so that blocks are aligned as malloc's.
struct H2Memory::Chunk {
  uint32_t size;  // with this
  uint32_t is_live;

  size_t words() const { return (size - sizeof(Chunk)) / sizeof(uint64_t); }
  uint64_t* begin() { return reinterpret_cast<uint64_t*>(this + 1); }
  Chunk* next() { return reinterpret_cast<Chunk*>(reinterpret_cast<char*>(this) + size); }
  Chunk*& next_free() { return *reinterpret_cast<Chunk**>(begin()); }
  void poison_block() { poison(begin() + 1, (words() - 1) * sizeof(uint64_t)); }
  void unpoison_block() { unpoison(begin() + 1, (words() - 1) * sizeof(uint64_t)); }
};

struct H2Memory::Heap {
  Chunk* end;  // of the chunks
  std::array<Chunk*, kClasses> free;

  Chunk* begin() { return reinterpret_cast<Chunk*>(reinterpret_cast<char*>(this + 1) + sizeof(Chunk)); }
  size_t room() const {
    return kHeap - static_cast<size_t>(reinterpret_cast<const char*>(end) - reinterpret_cast<const char*>(this));
  }
  void clear() {
    end = begin();
    free.fill(nullptr);
  }
  Chunk* append(size_t size) {
    Chunk* const chunk = new (end) Chunk{static_cast<uint32_t>(size), 1};
    end = chunk->next();
    return chunk;
  }
  void drop(Chunk& chunk) {
    chunk.is_live = 0;
    const size_t index = chunk.size / kUnit;
    if (index < kClasses) chunk.next_free() = std::exchange(free[index], &chunk);
  }
};

/// Writes and reads a packed heap, word by word.
class H2Memory::Packed {
 public:
  explicit Packed(char* at) : at_(at) {}

  /// With null it only counts.
  void put(uint64_t word) {
    if (at_) std::memcpy(at_ + size_, &word, sizeof word);
    size_ += sizeof word;
  }
  uint64_t take() {
    uint64_t word = 0;
    std::memcpy(&word, at_ + size_, sizeof word);
    size_ += sizeof word;
    return word;
  }
  void put(Chunk& chunk) {
    put(uint64_t{chunk.size} << 32 | chunk.is_live);
    if (!chunk.is_live) return;
    const std::span words(chunk.begin(), chunk.words());
    for (size_t at = 0; at < words.size(); at += kWordsAtOnce) {
      const auto some = words.subspan(at, std::min(kWordsAtOnce, words.size() - at));
      uint64_t present = 0;
      for (size_t i = 0; i < some.size(); ++i) present |= uint64_t{some[i] != 0} << i;
      put(present);
      for (const uint64_t word : some) {
        if (word != 0) put(word);
      }
    }
  }
  /// To where its chunks lay, in pages that are all 0.
  void take(Heap& heap) {
    const uint64_t head = take();
    Chunk* const chunk = heap.append(head >> 32);
    if ((head & 1) == 0) return heap.drop(*chunk);
    for (size_t at = 0; at < chunk->words(); at += kWordsAtOnce) {
      for (uint64_t present = take(); present != 0; present &= present - 1) {
        chunk->begin()[at + static_cast<size_t>(std::countr_zero(present))] = take();
      }
    }
  }
  /// A 0 stands behind the last chunk.
  bool has_more() const { return Packed(at_ + size_).take() != 0; }
  size_t size() const { return size_; }

 private:
  char* at_;
  size_t size_ = 0;
};

/// nghttp2's C callbacks.
struct H2MemoryCallbacks {
  static H2Memory& memory_of(void* user) { return *static_cast<H2Memory*>(user); }
  static void* malloc(size_t size, void* user) noexcept { return memory_of(user).allocate(size); }
  static void free(void* memory, void* user) noexcept { memory_of(user).release(memory); }
  static void* calloc(size_t count, size_t size, void* user) noexcept {
    void* const memory = memory_of(user).allocate(count * size);
    return memory ? std::memset(memory, 0, count * size) : nullptr;
  }
  static void* realloc(void* old, size_t size, void* user) noexcept { return memory_of(user).reallocate(old, size); }
};

nghttp2_mem functions_of(H2Memory& memory) {
  using Callbacks = H2MemoryCallbacks;
  return {&memory, Callbacks::malloc, Callbacks::free, Callbacks::calloc, Callbacks::realloc};
}

H2Memory::H2Memory()
    : pages_(slots().take()),
      frames_(pages_ + offset_of(pages_)),
      heap_(*reinterpret_cast<Heap*>(pages_ + kFrames + 2 * offset_of(pages_))) {
  heap_.clear();
}

H2Memory::~H2Memory() { slots().give(pages_); }

bool H2Memory::is_in_heap(const void* memory) const {
  return static_cast<size_t>(static_cast<const char*>(memory) - reinterpret_cast<const char*>(&heap_)) < kHeap;
}

void* H2Memory::allocate(size_t size) {
  const size_t index = (size + sizeof(Chunk) + kUnit - 1) / kUnit;
  if (index >= kClasses) return is_making_ ? allocate_for_good(size, index * kUnit) : std::malloc(size);
  if (Chunk* const chunk = heap_.free[index]) {
    heap_.free[index] = chunk->next_free();
    chunk->unpoison_block();
    chunk->is_live = 1;
    return chunk->begin();
  }
  return index * kUnit <= heap_.room() ? heap_.append(index * kUnit)->begin() : std::malloc(size);
}

void* H2Memory::allocate_for_good(size_t size, size_t whole) {
  if (size >= kLeastFrames && size <= kMostFrames) return frames_;
  return whole <= heap_.room() ? heap_.append(whole)->begin() : std::malloc(size);
}

void* H2Memory::reallocate(void* old, size_t size) {
  if (!old) return allocate(size);
  const bool is_frames = old == frames_;
  if (!is_frames && !is_in_heap(old)) return std::realloc(old, size);
  const size_t room = is_frames ? kMostFrames : (static_cast<Chunk*>(old) - 1)->words() * sizeof(uint64_t);
  if (size <= room) return old;
  void* const moved = allocate(size);
  if (!moved) return nullptr;
  std::memcpy(moved, old, room);
  release(old);
  return moved;
}

void H2Memory::release(void* memory) {
  if (is_in_heap(memory)) {
    Chunk& chunk = static_cast<Chunk*>(memory)[-1];
    heap_.drop(chunk);
    chunk.poison_block();
  } else if (memory != frames_) {
    std::free(memory);
  }
}

void H2Memory::rest() {
  if (is_resting()) return;
  const auto pack = [&](Packed packed) {
    for (Chunk* chunk = heap_.begin(); chunk != heap_.end; chunk = chunk->next()) packed.put(*chunk);
    packed.put(0);
    return packed.size();
  };
  packed_ = std::make_unique_for_overwrite<char[]>(pack(Packed(nullptr)));
  pack(Packed(packed_.get()));
  ::madvise(pages_, kSlot, MADV_DONTNEED);
}

void H2Memory::wake() {
  heap_.clear();
  Packed packed(packed_.get());
  while (packed.has_more()) packed.take(heap_);
  packed_.reset();
}

}  // namespace weir::http
