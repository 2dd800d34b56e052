#pragma once

#include <sys/uio.h>

#include <array>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/buffer.h"

namespace weir {

/// Bytes on their way to a socket: copied pieces gathered in blocks of `pool`, and slices passed on by
/// reference, in order. Holds no memory while empty. One thread.
class Output {
 public:
  explicit Output(BlockPool& pool) : pool_(&pool) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  bool is_empty() const { return bytes_ == 0; }
  size_t bytes() const { return bytes_; }
  /// Bytes consumed since the start: a byte appended now has left once this passes today's `consumed() + bytes()`.
  uint64_t consumed() const { return consumed_; }
  size_t pieces() const { return count_ - first_; }
  BlockPool& pool() const { return *pool_; }

  /// Copies `text`.
  void append(std::string_view text) {
    if (text.size() >= room_) return append_slow(text);
    std::memcpy(at_, text.data(), text.size());
    grow_tail(text.size());
  }
  void append(char c) { append(std::string_view(&c, 1)); }
  void append_decimal(uint64_t value);
  void append_hex(uint64_t value);
  /// Keeps a reference to the slice's block.
  void append(Slice slice);

  /// Fills `vectors` with what is to be sent first; returns how many it filled.
  size_t gather(std::span<iovec> vectors) const;
  /// The first `count` bytes have been sent.
  void consume(size_t count);
  /// The first piece. Only when there is one.
  const Slice& front() const { return segment(first_); }
  /// Removes the first piece and gives it away. Only when there is one.
  Slice take_front();
  void clear();
  /// Gives back the room for many pieces, which `clear` keeps. Only while empty.
  void rest() { more_ = {}; }
  /// Copies slices of under 4 KiB out of their blocks: a peer that reads slowly then doesn't pin a whole
  /// read buffer for a few bytes.
  void unpin();

 private:
  static constexpr size_t kInline = 2;  // a head and its body; an idle connection keeps their room

  Slice& segment(size_t index) { return index < kInline ? inline_[index] : more_[index - kInline]; }
  const Slice& segment(size_t index) const { return index < kInline ? inline_[index] : more_[index - kInline]; }
  void push(Slice slice);
  void compact();
  void grow_tail(size_t count) {
    Slice& tail = segment(count_ - 1);
    tail = Slice(tail.block(), {tail.data(), tail.size() + count});
    at_ += count;
    room_ -= count;
    bytes_ += count;
  }
  void append_slow(std::string_view text);

  BlockPool* pool_;
  std::array<Slice, kInline> inline_;
  std::vector<Slice> more_;
  uint32_t first_ = 0;  // segments before it are sent
  uint32_t count_ = 0;
  size_t bytes_ = 0;
  uint64_t consumed_ = 0;
  char* at_ = nullptr;  // where the last segment, a block of ours, has `room_` bytes free
  size_t room_ = 0;
};

}  // namespace weir
