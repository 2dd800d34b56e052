#include "store/server_room.h"

#include <algorithm>
#include <random>

#include "base/hash.h"
#include "net/client_block.h"

namespace weir::store {

namespace {

/// True for one thread, once `due` has come; then the next time is `every` later.
bool is_turn(std::atomic<Duration::rep>& due, Time now, Duration every) {
  const auto ticks = now.time_since_epoch().count();
  auto before = due.load(std::memory_order_relaxed);
  return ticks >= before && due.compare_exchange_strong(before, ticks + every.count());
}

}  // namespace

NewKeys::NewKeys() : seed_(uint64_t{std::random_device()()} << 32 | std::random_device()()) {}

NewKeys::Cells NewKeys::cells_of(const Take& take) {
  const uint64_t print = net::block_of(take.client, hash(take.limit.name, seed_));
  return {counts_[0][print % kCells], counts_[1][(print >> 32) % kCells]};
}

bool NewKeys::is_crowded(std::span<const Take> quotas, Time now) {
  if (is_turn(ends_, now, kPeriod)) {
    for (auto& row : counts_) {
      for (auto& count : row) count.store(0, std::memory_order_relaxed);
    }
  }
  return std::ranges::any_of(quotas, [&](const Take& take) {
    const auto [first, second] = cells_of(take);
    return std::min(first.load(std::memory_order_relaxed), second.load(std::memory_order_relaxed)) >= kMost;
  });
}

void NewKeys::add(const Take& take) {
  const auto [first, second] = cells_of(take);
  first.fetch_add(1, std::memory_order_relaxed);
  second.fetch_add(1, std::memory_order_relaxed);
}

ServerRoom::Order ServerRoom::order(std::span<const Take> quotas, Time now) {
  const Room room = room_.load(std::memory_order_relaxed);
  const bool is_left_out = room == Room::tight && new_keys_.is_crowded(quotas, now);
  if (is_turn(next_look_, now, kLookEvery)) return is_left_out ? Order::look_known_only : Order::look;
  return is_left_out || room == Room::none ? Order::known_only : Order::count;
}

bool ServerRoom::saw(Room room, Time now) {
  const Room before = room_.exchange(room, std::memory_order_relaxed);
  return room != Room::plenty && room > before && is_turn(next_told_, now, kTellEvery);
}

void ServerRoom::counted(std::span<const Take> quotas, const Decision& decision) {
  if (room_.load(std::memory_order_relaxed) == Room::plenty) return;
  for (size_t i = 0; i < quotas.size(); ++i) {
    if (decision.quotas[i].is_new) new_keys_.add(quotas[i]);
  }
}

}  // namespace weir::store
