#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "plugins/cache/storage/order_table.h"
#include "plugins/cache/storage/prefix_orders.h"
#include "plugins/cache/storage/purge.h"

namespace weir::plugins {

/// The orders that a cache has had. Nobody walks through a cache to obey one: each stored object knows which order was
/// the last that it has been held against, and is held against the newer ones when it is next looked up. How many are
/// kept is bounded, and none is missed: among more than a hundred thousand about URLs and tags the oldest mean more
/// than they say (order_table.h), and who has missed one about a prefix that isn't kept any more counts as gone. Any
/// thread.
class Purges {
 public:
  struct Settings {
    bool operator==(const Settings&) const = default;
  };
  static bool compatible(const Settings&, const Settings&) { return true; }
  explicit Purges(const Settings&);

  static constexpr size_t kMostLogged = 16'384;  // orders that a log keeps; ids that are known here

  using Verdict = PurgeVerdict;

  /// The number of the newest order; 0 before the first. Without a lock.
  uint64_t newest() const { return newest_.load(std::memory_order_acquire); }
  /// Its number. An order that was there already becomes the newest.
  uint64_t add(const Purge& purge);
  /// What the orders behind `since` say of an object with this URL and these tags (`hash_of_tag`, sorted).
  Verdict judge(uint64_t since, std::string_view url, std::span<const uint64_t> tags) const;
  /// The same of an object that the store has, with this id. One that isn't known is from a log that was lost, or newer
  /// than what has been heard: it is held against all orders, and doubtful; gone while none has been heard.
  Verdict judge(std::string_view id, std::string_view url, std::span<const uint64_t> tags) const;

  static uint64_t hash_of_tag(std::string_view tag) { return plugins::hash_of_tag(tag); }

  // A store that several processes share keeps the orders in a log, each under an id of the log's (`store::Entry`). An
  // object that such a store has carries the id of the newest order when it was made; and, in case that this one isn't
  // known (any more, or yet), behind a space that of the newest checkpoint: those are few, and known for longer.

  /// An order that is given here, on its way into the log. Those are heard from it in this order.
  uint64_t add_own(const Purge& purge);
  /// An order out of the log, in the log's order; again for one that is known under this id does nothing.
  void add(const Purge& purge, std::string_view id);
  /// Out of the log: another process has lost orders that weren't heard here, perhaps.
  void doubt(std::string_view id);
  /// The own order with this number is in the log, and so are those before it.
  void heard_own(uint64_t number, std::string_view id);
  /// All that the log has was heard: what comes from now on is new, so none before it can have been missed.
  void caught_up();
  /// The log has lost entries, or another one is there, so that its ids say nothing. `missed`: orders may have been in
  /// it that weren't heard; what was stored before is doubtful, unless the orders that are known say more.
  enum class Missed : uint8_t { none, some };
  void lose_log(Missed missed);
  /// What an object is to carry; "" = none has been heard yet.
  std::string newest_id() const;
  /// What an object with this id has been held against for certain: all orders until this one; nothing when neither id
  /// is known.
  std::optional<uint64_t> number_of(std::string_view id) const;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  /// The last ids, each with the number of the order that an object made then has been held against.
  struct Ids {
    std::deque<std::string> ids;
    std::unordered_map<std::string, uint64_t, Hash, std::equal_to<>> numbers;

    void add(std::string_view id, uint64_t number);
    std::optional<uint64_t> find(std::string_view id) const;
    std::string newest() const { return ids.empty() ? std::string() : ids.back(); }
  };

  uint64_t add_newest(const Purge& purge);
  bool knows(std::string_view id) const { return ids_.find(id) || checkpoints_.find(id); }
  void know(std::string_view id);

  std::atomic<uint64_t> newest_ = 0;
  mutable std::shared_mutex mutex_;  // guards what follows
  uint64_t forgotten_ = 0;           // the newest order that isn't kept in any form
  uint64_t lost_ = 0;                // the newest number when orders may have been missed
  LatestOrders all_;
  OrderTable named_;  // of URLs and tags
  PrefixOrders prefixes_;
  Ids ids_;
  Ids checkpoints_;
  uint64_t own_heard_ = 0;  // until here all orders are in the log
  uint64_t own_given_ = 0;  // the newest that was given here
  uint64_t first_heard_ = 0;
  bool has_caught_up_ = false;
};

}  // namespace weir::plugins
