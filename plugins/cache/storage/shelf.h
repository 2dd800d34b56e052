#pragma once

#include <atomic>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/fair_share.h"
#include "plugins/cache/rules/request_values.h"
#include "plugins/cache/storage/eviction.h"
#include "plugins/cache/storage/fill.h"
#include "plugins/cache/storage/object.h"
#include "plugins/cache/storage/purges.h"

namespace weir::plugins {

class FillTable;

/// What a cache has in memory: responses by key, of each key the variants by what they were chosen by, and what is on
/// its way. In shards, one mutex each. A slot of process_state: any thread.
class Shelf {
 public:
  struct Settings {
    uint64_t max_size = 0;  // bytes
    uint64_t max_object = 0;
    uint32_t max_variants = 64;  // of one key
    bool operator==(const Settings&) const = default;
  };
  static bool compatible(const Settings& old, const Settings& now) { return old == now; }
  explicit Shelf(const Settings& settings);
  ~Shelf();

  struct Key {
    std::string_view text;
    uint64_t hash = 0;
  };
  Key key_of(std::string_view text) const;

  struct Found {
    ObjectPtr object;             // that this request selects, fresh or not; null: none
    bool is_known = false;        // others of the key are there
    bool is_uncacheable = false;  // it turned out so a while ago
  };
  /// No malloc.
  Found find(const Key& key, const http::Headers& request, Arena& arena, Time now);

  static constexpr size_t kMostBeside = 8;

  struct Joined {
    FillPtr fill;
    Attendee attendee{};  // of the fill, which doesn't go on for long without any
    ObjectPtr object;     // newer than what the caller has: then there is no fill
    bool leads = false;   // it is a new one: to be settled and ended by the caller
  };
  /// What somebody knows who wants a fill.
  struct Want {
    Time now{};
    Time oldest = Time::min();       // a fill from before, without an outcome, takes too long
    std::string_view url{};          // with what was asked for before an order to forget it, it has nothing to do
    const Purges* purges = nullptr;  // null: there are none
    bool is_particular = false;  // it takes nothing from before: its request's directives are none for what is there
    unsigned failures = 0;       // fills that it has waited for and that came to nothing for it
    ObjectPtr known{};           // what is there already
    uint64_t purges_seen() const { return purges ? purges->newest() : 0; }
  };
  /// Joins the fill under way for such a request, or begins one. Neither when there is a fresh object by now that is
  /// another than the known. With each failure twice as many may ask beside each other, up to `kMostBeside`.
  Joined join(const Key& key, const http::Headers& request, Arena& arena, const Want& want);
  /// One that nobody joins; to be settled and ended, too.
  FillPtr begin_alone(const Key& key, const Want& want);
  /// Says what a fill has come to. Once; later ones are ignored.
  void settle(const Key& key, const FillPtr& fill, Fill::Outcome outcome);
  /// It is over: whoever comes now doesn't find it.
  void end(const Key& key, const FillPtr& fill);
  /// Ends it if nobody attends it; whether that is so.
  bool abandon(const Key& key, const FillPtr& fill);

  /// Keeps an object, in the place of what has the same selection; not when its fill is outdated, nor in the place of
  /// what came later.
  void put(const Key& key, ObjectPtr object, const Fill& fill);
  void remember_uncacheable(const Key& key, Time until);
  /// Everything under the key goes, and what is on its way won't be kept. Whether there was anything.
  bool invalidate(const Key& key);
  /// One object goes, if it is still there.
  void drop(const Key& key, const ObjectPtr& object);

  /// To be charged with each content that may come here.
  const std::shared_ptr<Account>& account() const { return account_; }
  /// More is loose than may be: a quarter of all.
  bool is_tight() const { return loose() > most_loose(); }
  /// It may soon be so: what needn't grow, shouldn't.
  bool is_filling_up() const { return loose() > most_loose() / 2; }
  /// What is kept makes room for what is loose. False when there is none to be had: then nothing new can be kept.
  bool make_room(Time now);

  /// One of the fills that nobody attends, for as long as it lives; the shelf outlives it.
  class Deserted {
   public:
    explicit Deserted(Shelf& shelf) : shelf_(shelf), number_(shelf.deserted_.fetch_add(1) + 1) {}
    Deserted(const Deserted&) = delete;
    Deserted& operator=(const Deserted&) = delete;
    ~Deserted() { shelf_.deserted_.fetch_sub(1); }
    bool is_one_too_many() const { return number_ > kMostDeserted; }

   private:
    static constexpr int kMostDeserted = 64;
    Shelf& shelf_;
    const int number_;
  };

  /// The right to refresh a stored response behind the clients' backs, for as long as it lives: one at a time for each
  /// response, however long it takes, and at most `kMost` on a shelf, of which no client has all. The shelf outlives
  /// it.
  class Refresh {
   public:
    static constexpr int kMost = 256;
    Refresh() = default;
    Refresh(Refresh&& other) noexcept = default;
    Refresh& operator=(Refresh other) noexcept {
      std::swap(object_, other.object_);
      std::swap(place_, other.place_);
      return *this;
    }
    ~Refresh() {
      if (object_) object_->is_refreshing = false;
    }
    explicit operator bool() const { return object_ != nullptr; }

   private:
    friend Shelf;
    explicit Refresh(ObjectPtr object) : object_(std::move(object)) {}
    ObjectPtr object_;
    FairShare::Place place_;
  };
  enum class NoRefresh : uint8_t { under_way, too_many };
  std::expected<Refresh, NoRefresh> begin_refresh(const ObjectPtr& object, std::string_view client);

  struct Size {
    uint64_t objects = 0;
    uint64_t bytes = 0;
    uint64_t evictions = 0;
  };
  Size size() const;
  const Settings& settings() const { return settings_; }

 private:
  struct Entry;
  struct Node;
  struct Shard;
  // Under the lock of a shard. Nothing, or what isn't certain, while `request.is_incomplete()`.
  static Found find_in(Shard& shard, const Key& key, RequestValues& request, Time now);
  static std::optional<Joined> join_in(Shard& shard, const Key& key, RequestValues& request, const Want& want);
  Shard& shard_of(const Key& key) const;
  /// The fill to join: one with a response, else the one with the fewest waiters. And how many are open.
  static std::pair<FillPtr, size_t> open_fill(const FillTable& fills, const Want& want, RequestValues& request);
  static bool is_open(const Fill& fill, const Want& want, RequestValues& request);
  void make_room(Shard& shard);
  int64_t loose() const { return account_->loose.load(std::memory_order_relaxed); }
  int64_t most_loose() const { return static_cast<int64_t>(settings_.max_size / 4); }

  const Settings settings_;
  const uint64_t seed_;  // so that nobody outside can choose what falls together
  const std::shared_ptr<Account> account_ = std::make_shared<Account>();
  std::vector<std::unique_ptr<Shard>> shards_;
  std::atomic<size_t> next_ = 0;  // shard to make room
  std::atomic<int> deserted_ = 0;
  FairShare refreshes_;
};

}  // namespace weir::plugins
