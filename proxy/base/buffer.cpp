#include "base/buffer.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

#include "base/poison.h"

namespace weir {

namespace {

// Header and bytes are one allocation.
constexpr size_t kHeader = (sizeof(Block) + 15) / 16 * 16;

}  // namespace

BlockPool::~BlockPool() {
  while (free_) {
    Block* block = free_;
    free_ = block->next_free;
    unpoison(block->bytes, block->size);
    std::free(block);
  }
}

BlockRef BlockPool::take() {
  ++in_use_;
  if (free_) {
    Block* block = free_;
    free_ = block->next_free;
    if (--free_count_ < least_free_) least_free_ = free_count_;
    unpoison(block->bytes, block->size);
    return BlockRef(block);
  }
  void* memory = std::malloc(kHeader + block_size_);
  if (!memory) throw std::bad_alloc();
  auto* block = new (memory) Block;
  block->bytes = static_cast<char*>(memory) + kHeader;
  block->size = block_size_;
  block->release = give_back;
  block->owner = this;
  return BlockRef(block);
}

void BlockPool::give_back(Block& block) noexcept {
  auto& pool = *static_cast<BlockPool*>(block.owner);
  --pool.in_use_;
  if (pool.free_count_ >= pool.most_) {
    ++pool.freed_;
    std::free(&block);
    return;
  }
  poison(block.bytes, block.size);
  block.next_free = pool.free_;
  pool.free_ = &block;
  ++pool.free_count_;
}

size_t BlockPool::trim(size_t keep) {
  const size_t kept = std::max(free_count_ - least_free_, std::min(free_count_, keep / block_size_));
  most_ = std::max(most_, keep / block_size_);
  if (kept < free_count_) {
    Block** end = &free_;
    for (size_t i = 0; i < kept; ++i) end = &(*end)->next_free;
    Block* block = std::exchange(*end, nullptr);
    while (block) {
      unpoison(block->bytes, block->size);
      std::free(std::exchange(block, block->next_free));
    }
    freed_ += free_count_ - kept;
    free_count_ = kept;
  }
  least_free_ = free_count_;
  return std::exchange(freed_, 0) * block_size_;
}

}  // namespace weir
