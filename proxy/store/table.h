#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/units.h"

namespace weir::store {

/// Things by key, each until its time is over, within a bound of bytes. Not thread-safe: a shard has a mutex.
template <class T>
class Table {
 public:
  explicit Table(size_t most_bytes) : most_bytes_(most_bytes) {}

  /// A thing and its place, which stays while the thing does.
  struct Item {
    std::string key;
    T thing;
    Time expires;
    size_t bytes;
  };

  /// Null when there is none, or its time is over. What is found counts as used.
  T* find(std::string_view key, Time now) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    if (found->second->expires <= now) {
      erase(found->second);
      return nullptr;
    }
    items_.splice(items_.end(), items_, found->second);
    return &found->second->thing;
  }
  /// The place of one, even if its time is over: then it may be used anew.
  Item* place_of(std::string_view key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    items_.splice(items_.end(), items_, found->second);
    return &*found->second;
  }
  /// `bytes`: what it holds beside itself and its key.
  void put(std::string_view key, T thing, Time expires, size_t bytes = 0) {
    remove(key);
    items_.push_back({std::string(key), std::move(thing), expires, sizeof(Item) + kOverhead + 2 * key.size() + bytes});
    index_.emplace(items_.back().key, std::prev(items_.end()));
    bytes_ += items_.back().bytes;
  }
  /// Changes the time of what was just found or put.
  void keep_until(std::string_view key, Time expires) { index_.find(key)->second->expires = expires; }
  void keep_at_least_until(std::string_view key, Time expires) {
    auto& kept = index_.find(key)->second->expires;
    if (kept < expires) kept = expires;
  }
  bool remove(std::string_view key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return false;
    erase(found->second);
    return true;
  }

  /// Drops a few that are over, from those unused for longest.
  void sweep(Time now) {
    for (int i = 0; i < 4 && !items_.empty() && items_.front().expires <= now; ++i) erase(items_.begin());
  }
  /// Drops those unused for longest until the bound is kept. Returns how many of them would have been there at `now`.
  size_t shrink(Time now = Time::min()) {
    size_t lost = 0;
    while (bytes_ > most_bytes_ && items_.size() > 1) {
      lost += items_.front().expires > now;
      erase(items_.begin());
    }
    return lost;
  }
  /// What a place holds beside itself and its key has become more, or less.
  void resize(Item& item, size_t before, size_t now) {
    item.bytes += now - before;
    bytes_ += now - before;
  }
  void bound(size_t most_bytes) { most_bytes_ = most_bytes; }
  bool is_full() const { return bytes_ >= most_bytes_; }
  size_t size() const { return items_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  static constexpr size_t kOverhead = 64;  // of the list's and the index's nodes
  using Items = std::list<Item>;

  void erase(typename Items::iterator item) {
    bytes_ -= item->bytes;
    index_.erase(item->key);
    items_.erase(item);
  }

  size_t most_bytes_;
  size_t bytes_ = 0;
  Items items_;                                                           // longest unused first
  std::unordered_map<std::string_view, typename Items::iterator> index_;  // keys are the items' own
};

}  // namespace weir::store
