#include "base/arena.h"

#include <cstdlib>
#include <cstring>

#include "base/poison.h"

namespace weir {

Arena::~Arena() {
  while (large_) {
    Large* large = large_;
    large_ = large->next;
    std::free(large);
  }
  while (chunks_) {
    BlockRef block = std::move(chunks_->block);
    Chunk* next = chunks_->next;
    unpoison(block->bytes, block->size);
    chunks_->~Chunk();
    chunks_ = next;
  }
}

void* Arena::bump_slow(size_t size, size_t alignment) {
  if (size + sizeof(Chunk) + alignment > pool_.block_size() / 2) {
    const size_t header = (sizeof(Large) + alignment - 1) / alignment * alignment;
    void* memory = std::malloc(header + size);
    if (!memory) throw std::bad_alloc();
    large_ = new (memory) Large{large_};
    footprint_ += header + size;
    return static_cast<char*>(memory) + header;
  }
  BlockRef block = pool_.take();
  char* bytes = block->bytes;
  footprint_ += block->size;
  end_ = bytes + block->size;
  at_ = bytes + sizeof(Chunk);
  chunks_ = new (bytes) Chunk{std::move(block), chunks_};
  return bump(size, alignment);
}

std::string_view Arena::copy(std::string_view text) {
  if (text.empty()) return {};
  auto* bytes = static_cast<char*>(bump(text.size(), 1));
  std::memcpy(bytes, text.data(), text.size());
  return {bytes, text.size()};
}

std::string_view Arena::concat(std::initializer_list<std::string_view> parts) {
  size_t size = 0;
  for (auto part : parts) size += part.size();
  auto* bytes = static_cast<char*>(bump(size, 1));
  char* to = bytes;
  for (auto part : parts) {
    if (!part.empty()) std::memcpy(to, part.data(), part.size());
    to += part.size();
  }
  return {bytes, size};
}

void* Arena::take(size_t size) {
  const size_t index = (size + kClass - 1) / kClass;
  if (index >= kClasses) {
    void* memory = std::malloc(size);
    if (!memory) throw std::bad_alloc();
    return memory;
  }
  if (Free* free = free_[index]) {
    unpoison(free, index * kClass);
    free_[index] = free->next;
    return free;
  }
  return bump(index * kClass);
}

void Arena::give(void* memory, size_t size) noexcept {
  const size_t index = (size + kClass - 1) / kClass;
  if (index >= kClasses) return std::free(memory);
  free_[index] = new (memory) Free{free_[index]};
  poison(memory, index * kClass);
}

}  // namespace weir
