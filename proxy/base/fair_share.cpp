#include "base/fair_share.h"

#include <arpa/inet.h>

#include <algorithm>
#include <limits>
#include <random>

#include "base/hash.h"

namespace weir {

namespace {

uint64_t random_seed() {
  std::random_device dice;
  return uint64_t{dice()} << 32 | dice();
}

}  // namespace

FairShare::FairShare(const Settings&) : seed_(random_seed()) {}

FairShare::Place FairShare::enter(std::string_view key, int64_t places) {
  Place place(*this, places - taken_.fetch_add(1, std::memory_order_relaxed));
  place.count_for(key);
  return place;
}

FairShare::Place FairShare::enter_or_beside(std::string_view key, int64_t places, int64_t beside) {
  const int64_t taken = taken_.fetch_add(1, std::memory_order_relaxed);
  Place place(*this, 0);
  const bool is_new = add(place.cells_[place.size_++] = cells_of(key), 1) == 0;
  const bool has_none = place.count_block(key) < kBlockShare && is_new;
  if (taken >= places + (has_none ? beside : 0)) place.leave();
  return place;
}

FairShare::Cells FairShare::cells_of(std::string_view key) const {
  const uint64_t print = hash(key, seed_);
  return {static_cast<uint16_t>(print % kCells), static_cast<uint16_t>((print >> 32) % kCells)};
}

std::optional<FairShare::Cells> FairShare::block_of(std::string_view key) const {
  constexpr std::string_view kEnd = "/64";
  constexpr size_t kBytes = 6;
  if (!key.ends_with(kEnd)) return std::nullopt;
  key.remove_suffix(kEnd.size());
  char text[INET6_ADDRSTRLEN]{};
  in6_addr address;
  if (key.size() >= sizeof text) return std::nullopt;
  std::ranges::copy(key, text);
  if (inet_pton(AF_INET6, text, &address) != 1) return std::nullopt;
  return cells_of({reinterpret_cast<const char*>(&address), kBytes});
}

int64_t FairShare::add(Cells cells, int32_t more) {
  int64_t before = std::numeric_limits<int64_t>::max();
  for (size_t i = 0; i < cells.size(); ++i) {
    before = std::min<int64_t>(before, counts_[i][cells[i]].fetch_add(more, std::memory_order_relaxed));
  }
  return before;
}

void FairShare::subtract(Cells cells, int32_t count) {
  for (size_t i = 0; i < cells.size(); ++i) counts_[i][cells[i]].fetch_sub(count, std::memory_order_relaxed);
}

void FairShare::Place::count_for(std::string_view key) {
  if (!room_ || size_ == kMostKeys) return;
  const auto cells = cells_[size_++] = room_->cells_of(key);
  const bool has_share = room_->add(cells, weight_) >= free_;
  if (count_block(key) / kBlockShare >= free_ || has_share) leave();
}

int64_t FairShare::Place::count_block(std::string_view key) {
  const auto block = has_block_ ? std::nullopt : room_->block_of(key);
  if (!block) return std::numeric_limits<int64_t>::min();
  has_block_ = true;
  block_ = *block;
  return room_->add(block_, weight_);
}

void FairShare::Place::keep_only(size_t number) {
  if (number == 0 || number >= size_) return;
  for (size_t i = 1; i < size_; ++i) {
    if (i != number) room_->subtract(cells_[i], weight_);
  }
  cells_[1] = cells_[number];
  size_ = 2;
}

/// As if they were taken one by one.
bool FairShare::Place::grow(int32_t more, int64_t places) {
  const int64_t free = places - room_->taken_.fetch_add(more, std::memory_order_relaxed);
  bool has_room = true;
  for (size_t i = 0; i < size_; ++i) has_room = room_->add(cells_[i], more) + 2 * more - 1 <= free && has_room;
  constexpr int64_t kWide = kBlockShare + 1;
  if (has_block_) has_room = (room_->add(block_, more) + kWide * more - 1) / kBlockShare <= free && has_room;
  if (has_room) {
    weight_ += more;
    return true;
  }
  if (has_block_) room_->subtract(block_, more);
  for (size_t i = 0; i < size_; ++i) room_->subtract(cells_[i], more);
  room_->taken_.fetch_sub(more, std::memory_order_relaxed);
  return false;
}

void FairShare::Place::leave() {
  if (!room_) return;
  while (size_ > 0) room_->subtract(cells_[--size_], weight_);
  if (std::exchange(has_block_, false)) room_->subtract(block_, weight_);
  std::exchange(room_, nullptr)->taken_.fetch_sub(weight_, std::memory_order_relaxed);
}

}  // namespace weir
