#include "base/output.h"

#include <algorithm>
#include <charconv>

namespace weir {

namespace {

constexpr size_t kSmall = 4096;
constexpr size_t kShort = 2048;

}  // namespace

void Output::append_decimal(uint64_t value) {
  char digits[20];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  append(std::string_view(digits, static_cast<size_t>(end - digits)));
}

void Output::append_hex(uint64_t value) {
  char digits[16];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value, 16);
  append(std::string_view(digits, static_cast<size_t>(end - digits)));
}

void Output::append(Slice slice) {
  if (slice.empty()) return;
  // One vector less for the kernel costs more than a short copy.
  if (slice.size() <= kShort && slice.size() <= room_) return append(slice.view());
  bytes_ += slice.size();
  push(std::move(slice));
  room_ = 0;
}

/// A queue that never runs empty would grow for ever.
void Output::compact() {
  const uint32_t live = count_ - first_;
  for (uint32_t i = 0; i < live; ++i) segment(i) = std::move(segment(first_ + i));
  more_.resize(live > kInline ? live - kInline : 0);
  for (size_t i = live; i < kInline; ++i) inline_[i] = Slice();
  first_ = 0;
  count_ = live;
}

void Output::push(Slice slice) {
  if (first_ >= 64 && 2 * first_ >= count_) compact();
  if (count_ < kInline) {
    inline_[count_] = std::move(slice);
  } else {
    more_.push_back(std::move(slice));
  }
  ++count_;
}

void Output::append_slow(std::string_view text) {
  if (room_ > 0) {
    const auto part = text.substr(0, room_);
    std::memcpy(at_, part.data(), part.size());
    grow_tail(part.size());
    text.remove_prefix(part.size());
  }
  while (!text.empty()) {
    BlockRef block = pool_->take();
    const auto part = text.substr(0, block->size);
    std::memcpy(block->bytes, part.data(), part.size());
    at_ = block->bytes + part.size();
    room_ = block->size - part.size();
    bytes_ += part.size();
    const std::string_view bytes(block->bytes, part.size());
    push(Slice(std::move(block), bytes));
    text.remove_prefix(part.size());
  }
}

size_t Output::gather(std::span<iovec> vectors) const {
  const size_t count = std::min<size_t>(count_ - first_, vectors.size());
  for (size_t i = 0; i < count; ++i) {
    const Slice& slice = segment(first_ + i);
    vectors[i] = {const_cast<char*>(slice.data()), slice.size()};
  }
  return count;
}

void Output::consume(size_t count) {
  bytes_ -= count;
  consumed_ += count;
  if (bytes_ == 0) return clear();
  while (count > 0) {
    Slice& slice = segment(first_);
    if (count < slice.size()) {
      slice.remove_prefix(count);
      return;
    }
    count -= slice.size();
    slice = Slice();
    ++first_;
  }
}

Slice Output::take_front() {
  Slice front = std::move(segment(first_));
  segment(first_) = Slice();
  ++first_;
  bytes_ -= front.size();
  if (first_ == count_) clear();
  return front;
}

void Output::clear() {
  if (count_ == 0) return;
  for (size_t i = first_; i < std::min<size_t>(count_, kInline); ++i) inline_[i] = Slice();
  if (more_.capacity() > 64) {
    more_ = {};
  } else {
    more_.clear();
  }
  first_ = count_ = 0;
  bytes_ = room_ = 0;
  at_ = nullptr;
}

void Output::unpin() {
  for (size_t i = first_; i < count_; ++i) {
    Slice& slice = segment(i);
    if (slice.size() >= kSmall || !slice.block() || slice.block()->owner == pool_) continue;
    BlockRef block = pool_->take();
    if (slice.size() > block->size) continue;
    std::memcpy(block->bytes, slice.data(), slice.size());
    const std::string_view bytes(block->bytes, slice.size());
    slice = Slice(std::move(block), bytes);
  }
}

}  // namespace weir
