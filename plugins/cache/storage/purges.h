#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

namespace weir::plugins {

/// One order to forget: everything under one URL, whose URL begins so, that has a tag, or all there is.
struct Purge {
  enum class Kind : uint8_t { url, prefix, tag, all } kind = Kind::url;
  enum class Force : uint8_t { hard, soft } force = Force::hard;  // soft: it is stale from now on
  std::string text;  // "https://example.com/a?b=1", "https://example.com/a/", "news"; "" for all
  bool operator==(const Purge&) const = default;

  static constexpr size_t kMostText = 8 * 1024;
};

std::string_view name_of(Purge::Kind kind);
/// Has a text (but for all), that is not too long and all of printable characters.
bool is_sound(const Purge& purge);
/// As it stands in a log: "soft tag news", "hard all".
std::string to_text(const Purge& purge);
/// Nothing when it makes no sense; whoever wrote it.
std::optional<Purge> purge_of(std::string_view text);

/// The orders that a cache has had, newest last, at most so many. Nobody walks through a cache to obey one: each stored
/// object knows which order was the last that it has been held against, and is held against the newer ones when it is
/// next looked up. One that has missed orders which are forgotten by now counts as gone. Any thread.
class Purges {
 public:
  struct Settings {
    bool operator==(const Settings&) const = default;
  };
  static bool compatible(const Settings&, const Settings&) { return true; }
  explicit Purges(const Settings&);

  static constexpr size_t kMost = 4096;  // orders that are kept, here and in a log

  enum class Verdict : uint8_t { keep, stale, gone };

  /// The number of the newest order; 0 before the first. Without a lock.
  uint64_t newest() const { return newest_.load(std::memory_order_acquire); }
  /// Its number. An order that was there already becomes the newest.
  uint64_t add(const Purge& purge);
  /// What the orders behind `since` say of an object with this URL and these tags (`hash_of_tag`, sorted).
  Verdict judge(uint64_t since, std::string_view url, std::span<const uint64_t> tags) const;

  static uint64_t hash_of_tag(std::string_view tag);

  // A store that several processes share keeps the orders in a log, each under an id of the log's (`store::Entry`). An
  // object that such a store has carries the id of the newest order when it was made.

  /// An order out of the log, in the log's order; again for one that is known under this id does nothing. One that was
  /// given here, as `own`, keeps that number if none has come since.
  void add(const Purge& purge, std::string_view id, uint64_t own = 0);
  /// The log has lost entries, or another one is there: what was stored before counts as gone.
  void forget_all();
  /// The id of the newest order from the log; "" = none yet.
  std::string newest_id() const;
  /// The number of the order with this id; nothing when it isn't known (then the object counts as gone). "" is
  /// known while the log has lost nothing.
  std::optional<uint64_t> number_of(std::string_view id) const;

 private:
  struct Order {
    uint64_t number;
    Purge purge;
  };
  /// The newest orders about one thing; 0 = none.
  struct Latest {
    uint64_t hard = 0;
    uint64_t soft = 0;
    uint64_t newest() const { return std::max(hard, soft); }
    Verdict verdict(uint64_t since) const;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  uint64_t add_newest(const Purge& purge);
  Latest& latest_of(const Purge& purge);
  void drop(const Purge& purge);
  void know(std::string_view id, uint64_t number);
  Verdict judge_prefixes(uint64_t since, std::string_view url) const;

  std::atomic<uint64_t> newest_ = 0;
  mutable std::shared_mutex mutex_;  // guards what follows
  uint64_t forgotten_ = 0;           // the newest order that isn't kept any more
  std::deque<Order> orders_;
  Latest all_;
  std::unordered_map<uint64_t, Latest> urls_;  // by hash
  std::unordered_map<uint64_t, Latest> tags_;
  std::map<std::string, Latest, std::less<>> prefixes_;
  std::deque<std::string> ids_;
  std::unordered_map<std::string, uint64_t, Hash, std::equal_to<>> numbers_;  // by id
  bool knows_first_ = true;                                                   // the log has lost nothing
};

}  // namespace weir::plugins
