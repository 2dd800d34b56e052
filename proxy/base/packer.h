#pragma once

#include <cstring>

#include "base/buffer.h"

namespace weir {

/// Copies short texts one behind another into blocks of a pool. What has to wait among many others then neither pins a
/// whole read buffer nor, each at the start of a block of its own, falls on the same few lines of the cache. One
/// thread.
class Packer {
 public:
  explicit Packer(BlockPool& pool) : pool_(pool) {}

  /// `text` is no longer than a block of the pool.
  Slice pack(std::string_view text) {
    if (!block_ || block_->size - used_ < text.size()) {
      block_ = pool_.take();
      used_ = 0;
    }
    char* const at = block_->bytes + used_;
    std::memcpy(at, text.data(), text.size());
    used_ += static_cast<uint32_t>(text.size());
    return {block_, {at, text.size()}};
  }
  /// Begins anew: what was packed lives as long as its slices.
  void clear() { block_ = {}; }

 private:
  BlockPool& pool_;
  BlockRef block_;
  uint32_t used_ = 0;
};

}  // namespace weir
