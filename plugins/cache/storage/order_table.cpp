#include "plugins/cache/storage/order_table.h"

#include <utility>

namespace weir::plugins {

void OrderTable::set(uint64_t hash, PurgeForce force, uint64_t number) {
  const uint64_t what = (hash & ~uint64_t{1}) | static_cast<uint64_t>(force);
  if (bits_ == 0) grow();
  for (;;) {
    Bucket& bucket = bucket_of(what);
    auto place = std::ranges::find(bucket.orders, what, &Order::what);
    if (place == bucket.orders.end()) place = std::ranges::min_element(bucket.orders, {}, &Order::number);
    if (place->number > 0 && place->what != what) {
      if (bits_ < kMostBits) {
        grow();
        continue;
      }
      auto& forgotten = bucket.forgotten.of(place->force());
      forgotten = std::max(forgotten, place->number);
    }
    *place = {what, number};
    return;
  }
}

LatestOrders OrderTable::find(uint64_t hash) const {
  if (bits_ == 0) return {};
  const Bucket& bucket = buckets_[hash >> (64 - bits_)];
  auto latest = bucket.forgotten;
  for (const auto& order : bucket.orders) {
    if (((order.what ^ hash) & ~uint64_t{1}) != 0) continue;
    auto& number = latest.of(order.force());
    number = std::max(number, order.number);
  }
  return latest;
}

/// A bucket becomes two, so what was in it has room there; as long as it grows nothing has been forgotten.
void OrderTable::grow() {
  bits_ = bits_ == 0 ? kFirstBits : bits_ + 1;
  for (const auto& bucket : std::exchange(buckets_, std::vector<Bucket>(size_t{1} << bits_))) {
    for (const auto& order : bucket.orders) {
      if (order.number > 0) *std::ranges::find(bucket_of(order.what).orders, uint64_t{0}, &Order::number) = order;
    }
  }
}

}  // namespace weir::plugins
