#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

namespace weir {

/// Memory with a reference count that isn't atomic: a Block stays on its worker's thread. `release` says
/// what happens when the last reference goes (back to a pool, or whatever made the block).
struct Block {
  char* bytes = nullptr;
  uint32_t size = 0;
  uint32_t references = 0;
  void (*release)(Block&) noexcept = nullptr;
  void* owner = nullptr;
  Block* next_free = nullptr;
};

/// One counted reference to a Block.
class BlockRef {
 public:
  BlockRef() = default;
  explicit BlockRef(Block* block) : block_(block) { retain(); }
  BlockRef(const BlockRef& other) : block_(other.block_) { retain(); }
  BlockRef(BlockRef&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  BlockRef& operator=(BlockRef other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~BlockRef() {
    if (block_ && --block_->references == 0) block_->release(*block_);
  }

  explicit operator bool() const { return block_ != nullptr; }
  Block* get() const { return block_; }
  Block* operator->() const { return block_; }
  bool is_shared() const { return block_->references > 1; }
  std::span<char> space() const { return {block_->bytes, block_->size}; }

 private:
  void retain() {
    if (block_) ++block_->references;
  }
  Block* block_ = nullptr;
};

/// A view of bytes that keeps its Block alive. Without a block the bytes live for ever (literals).
class Slice {
 public:
  Slice() = default;
  Slice(BlockRef block, std::string_view bytes) : block_(std::move(block)), bytes_(bytes) {}
  static Slice literal(std::string_view bytes) { return Slice({}, bytes); }

  std::string_view view() const { return bytes_; }
  const char* data() const { return bytes_.data(); }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  Slice sub(size_t offset, size_t count = std::string_view::npos) const {
    return {block_, bytes_.substr(offset, count)};
  }
  /// The same block's reference around other bytes of it.
  Slice around(std::string_view part) const { return {block_, part}; }
  void remove_prefix(size_t count) { bytes_.remove_prefix(count); }
  const BlockRef& block() const { return block_; }

 private:
  BlockRef block_;
  std::string_view bytes_;
};

/// Recycles blocks of one size, last in first out (the warmest first). One per worker and size; not
/// thread-safe. Keeps at most `most` free blocks; the rest go back to the allocator.
class BlockPool {
 public:
  explicit BlockPool(uint32_t block_size, size_t most = 256) : block_size_(block_size), most_(most) {}
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  ~BlockPool();

  BlockRef take();
  uint32_t block_size() const { return block_size_; }
  /// Blocks that somebody holds now.
  size_t in_use() const { return in_use_; }
  size_t free_bytes() const { return free_count_ * block_size_; }

  /// Frees what has been free ever since the last call, down to `keep` bytes: the coldest blocks. Those that come and
  /// go all the time stay. Returns the bytes that went back to the allocator since then.
  size_t trim(size_t keep);

 private:
  static void give_back(Block& block) noexcept;

  uint32_t block_size_;
  size_t most_;
  size_t in_use_ = 0;
  size_t free_count_ = 0;
  size_t least_free_ = 0;  // since the last trim
  size_t freed_ = 0;       // blocks, since the last trim
  Block* free_ = nullptr;
};

}  // namespace weir
