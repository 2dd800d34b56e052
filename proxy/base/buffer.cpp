#include "base/buffer.h"

#include <cstdlib>
#include <new>

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
    --free_count_;
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
  if (pool.free_count_ >= pool.keep_) {
    std::free(&block);
    return;
  }
  poison(block.bytes, block.size);
  block.next_free = pool.free_;
  pool.free_ = &block;
  ++pool.free_count_;
}

}  // namespace weir
