#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/units.h"

namespace weir::store {

/// Things by key, each until its time is over, within a bound of bytes. For want of room what was not used for longest
/// goes (of a few buckets, which take turns). But each thing was put there by an owner (a hash),
/// and one that has many times more things than usual loses its own first: one owner's many keys cost no other owner
/// anything. Owners share a fixed number of buckets; each knows the owner that has most of it. Takes O(1) time, and a
/// pass over the buckets when another owner has come to hold most. Not thread-safe: a shard has a mutex.
template <class T>
class OwnedTable {
 public:
  explicit OwnedTable(size_t most_bytes) : most_bytes_(most_bytes) {}

  /// A thing and its place, which stays while the thing does.
  struct Item {
    std::string key;
    T thing;
    Time expires;
    size_t bytes;
    uint64_t owner;
    uint64_t used;  // when, by the count of all uses
  };

  /// The place of a thing, even if its time is over: then it may be used anew. Null when there is none. Counts as used.
  Item* place_of(std::string_view key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    auto& items = buckets_[found->second->owner % buckets_.size()].items;
    items.splice(items.end(), items, found->second);
    found->second->used = ++uses_;
    return &*found->second;
  }
  /// The key is not in the table. `bytes`: size of the thing beside itself and its key.
  void put(std::string_view key, T thing, Time expires, uint64_t owner, size_t bytes) {
    if (buckets_.empty()) make_buckets();
    Bucket& bucket = buckets_[owner % buckets_.size()];
    const size_t size = sizeof(Item) + kOverhead + 2 * key.size() + bytes;
    bucket.items.push_back({std::string(key), std::move(thing), expires, size, owner, ++uses_});
    index_.emplace(bucket.items.back().key, std::prev(bucket.items.end()));
    bytes_ += size;
    bucket.gain(owner, size);
    rank(bucket);
  }
  /// The thing's size beside itself and its key has changed.
  void resize(Item& item, size_t before, size_t now) {
    if (before == now) return;
    Bucket& bucket = buckets_[item.owner % buckets_.size()];
    bucket.lose(item.owner, item.bytes);
    bytes_ += now - before;
    item.bytes += now - before;
    bucket.gain(item.owner, item.bytes);
    rank(bucket);
  }

  /// Drops a few that are over, bucket after bucket.
  void sweep(Time now) {
    if (buckets_.empty()) return;
    Bucket& bucket = buckets_[swept_++ % buckets_.size()];
    for (int i = 0; i < 4 && !bucket.items.empty() && bucket.items.front().expires <= now; ++i)
      erase(bucket, bucket.items.begin());
  }
  /// Drops things until the bound is kept. Returns how many of them would have been there at `now`.
  size_t shrink(Time now) {
    size_t lost = 0;
    while (bytes_ > most_bytes_ && index_.size() > 1) {
      Bucket* bucket = &heaviest();
      const bool is_heavy =
          bucket->votes >= kHeavy * (bytes_ / buckets_.size()) && bucket->turn_to_heaviest(most_bytes_ / 4);
      if (!is_heavy) bucket = &longest_unused();
      const auto item = bucket->items.begin();
      lost += item->expires > now;
      erase(*bucket, item);
    }
    return lost;
  }
  void bound(size_t most_bytes) { most_bytes_ = most_bytes; }
  size_t size() const { return index_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  static constexpr size_t kOverhead = 64;  // of the list's and the index's nodes
  static constexpr size_t kHeavy = 8;      // times the bytes of a usual bucket
  using Items = std::list<Item>;

  /// The owner that has most of a bucket is found by a vote (Boyer and Moore's, weighed by bytes): one that has more
  /// than half always wins. It has at least `votes` bytes.
  struct Bucket {
    Items items;            // longest unused first
    uint64_t heaviest = 0;  // an owner
    size_t votes = 0;

    void gain(uint64_t owner, size_t by) {
      if (owner == heaviest) {
        votes += by;
      } else if (votes > by) {
        votes -= by;
      } else {
        heaviest = owner;
        votes = by - votes;
      }
    }
    void lose(uint64_t owner, size_t by) {
      if (owner == heaviest) votes -= std::min(votes, by);
    }
    /// Puts in front what the heaviest owner has not used for longest; items of others that stood before it count as
    /// used then. False when that item is most of what makes it heavy, since an owner would gain by losing its only
    /// one; but one above `most` bytes leaves no room for others.
    bool turn_to_heaviest(size_t most) {
      while (items.front().owner != heaviest) items.splice(items.end(), items, items.begin());
      return 2 * items.front().bytes <= votes || items.front().bytes > most;
    }
  };

  /// Some twenty items fit into each.
  void make_buckets() {
    constexpr size_t kBytes = 4096;
    buckets_.resize(std::clamp<size_t>(most_bytes_ / kBytes, 16, 1024));
    ranks_.resize(buckets_.size());
  }
  void rank(const Bucket& bucket) {
    const auto at = static_cast<size_t>(&bucket - buckets_.data());
    ranks_[at] = bucket.votes;
    if (at != first_) second_ = std::max(second_, ranks_[at]);
  }
  /// The bucket, of the next few that have any, whose first item was not used for longest.
  Bucket& longest_unused() {
    constexpr int kLooked = 8;
    Bucket* longest = nullptr;
    for (int looked = 0; looked < kLooked || !longest; ++looked) {
      Bucket& bucket = buckets_[turn_++ % buckets_.size()];
      if (bucket.items.empty()) continue;
      if (!longest || bucket.items.front().used < longest->items.front().used) longest = &bucket;
    }
    return *longest;
  }
  /// Searched for only when the last one found has become lighter than another may be.
  Bucket& heaviest() {
    if (ranks_[first_] < second_) {
      first_ = 0;
      second_ = 0;
      for (size_t i = 1; i < ranks_.size(); ++i) {
        const bool is_more = ranks_[i] > ranks_[first_];
        second_ = std::max(second_, ranks_[is_more ? first_ : i]);
        if (is_more) first_ = i;
      }
    }
    return buckets_[first_];
  }
  void erase(Bucket& bucket, Items::iterator item) {
    bytes_ -= item->bytes;
    bucket.lose(item->owner, item->bytes);
    index_.erase(item->key);
    bucket.items.erase(item);
    rank(bucket);
  }

  size_t most_bytes_;
  size_t bytes_ = 0;
  size_t swept_ = 0;
  size_t turn_ = 0;
  uint64_t uses_ = 0;
  std::vector<Bucket> buckets_;  // none before the first item
  std::vector<size_t> ranks_;
  size_t first_ = 0;                                                      // the bucket of the highest rank
  size_t second_ = 0;                                                     // no other bucket's rank is higher
  std::unordered_map<std::string_view, typename Items::iterator> index_;  // keys are the items' own
};

}  // namespace weir::store
