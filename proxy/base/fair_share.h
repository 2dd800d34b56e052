#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace weir {

/// Shares the places of a room among many keys (clients). A key gets another place while the key has fewer places than
/// are free. So one key fills half of the room, two keys a third each, and the next key always finds a place. Takes
/// O(1) time and 8 KiB for any number of keys: each key counts in one cell of each of two tables, and the smaller count
/// is the key's (a count-min sketch). A key that is an IPv6 /64 ("2001:db8::/64") also counts for its /48, of which one
/// subscriber may have all: a /48 gets at most the share of two keys. The hash has a random seed, so that a client
/// cannot aim at the cells of another. Any thread. Outlives its places.
class FairShare {
 public:
  struct Settings {};
  static bool compatible(const Settings&, const Settings&) { return true; }
  explicit FairShare(const Settings& = {});
  FairShare(const FairShare&) = delete;
  FairShare& operator=(const FairShare&) = delete;

  static constexpr size_t kMostKeys = 9;  // of one place

  /// A place, or no place; given back by the destructor or `leave`. Counts for one key, or for several keys until the
  /// caller knows the key that matters.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept
        : room_(std::exchange(other.room_, nullptr)),
          size_(std::exchange(other.size_, 0)),
          weight_(other.weight_),
          cells_(other.cells_),
          block_(other.block_),
          has_block_(other.has_block_) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(room_, other.room_);
      std::swap(size_, other.size_);
      std::swap(weight_, other.weight_);
      std::swap(cells_, other.cells_);
      std::swap(block_, other.block_);
      std::swap(has_block_, other.has_block_);
      return *this;
    }
    ~Place() { leave(); }
    explicit operator bool() const { return room_ != nullptr; }

    /// Counts for one more key. Gives the place back when that key has its share already.
    void count_for(std::string_view key);
    /// Of the keys after the first, counts for key `number` only; 1 is the key after the first.
    void keep_only(size_t number);
    /// Takes `more` places in addition. False, without any change, when a key has its share.
    bool grow(int32_t more, int64_t places);
    void leave();

   private:
    friend FairShare;
    /// Counts for the /48 of a key that is a /64, once. Returns how many places the /48 had before; less than zero when
    /// the key is no /64.
    int64_t count_block(std::string_view key);
    using Cells = std::array<uint16_t, 2>;
    explicit Place(FairShare& room, int64_t free) : room_(&room), free_(free) {}
    FairShare* room_ = nullptr;
    int64_t free_ = 0;  // places, this one among them, when it was taken
    size_t size_ = 0;
    int32_t weight_ = 1;  // places
    std::array<Cells, kMostKeys> cells_{};
    Cells block_{};  // of the /48
    bool has_block_ = false;
  };

  /// A place for `key` in a room of `places` (may differ from call to call); no place when the key has its share.
  Place enter(std::string_view key, int64_t places);
  /// A place for `key` while fewer than `places` are taken in total. A key without a place gets one of `beside` further
  /// places when the room is full.
  Place enter_or_beside(std::string_view key, int64_t places, int64_t beside);
  /// The number of taken places.
  int64_t taken() const { return taken_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kCells = 1024;
  using Cells = Place::Cells;

  static constexpr int64_t kBlockShare = 2;  // keys whose shares a /48 may have

  Cells cells_of(std::string_view key) const;
  /// The cells of the /48 of a key that is a /64.
  std::optional<Cells> block_of(std::string_view key) const;
  /// Adds `more` to the key's count, and returns the count before.
  int64_t add(Cells cells, int32_t more);
  void subtract(Cells cells, int32_t count);

  const uint64_t seed_;
  std::atomic<int64_t> taken_{0};
  std::array<std::array<std::atomic<int32_t>, kCells>, 2> counts_{};
};

}  // namespace weir
