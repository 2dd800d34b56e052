#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>
#include <utility>

namespace weir {

/// A room in which many keys (clients) wait, and no key takes the places of the others: a key gets one more place while
/// it has fewer than are free. So one key fills half of a room, two keys a third each, and the next key always finds
/// room. O(1) and 8 KiB, however many keys there are: a key counts in one cell of each of two tables, and the smaller
/// count is the key's. A key that meets greedy ones in both cells, which nobody can bring about, has their share. Any
/// thread. Lives longer than its places.
class FairShare {
 public:
  struct Settings {};
  static bool compatible(const Settings&, const Settings&) { return true; }
  explicit FairShare(const Settings& = {});
  FairShare(const FairShare&) = delete;
  FairShare& operator=(const FairShare&) = delete;

  static constexpr size_t kMostKeys = 9;  // of one place

  /// One place, or none; given back by destruction or `leave`. Counts for one key, or for several until it is known
  /// which of them matters.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept
        : room_(std::exchange(other.room_, nullptr)),
          size_(std::exchange(other.size_, 0)),
          weight_(other.weight_),
          cells_(other.cells_) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(room_, other.room_);
      std::swap(size_, other.size_);
      std::swap(weight_, other.weight_);
      std::swap(cells_, other.cells_);
      return *this;
    }
    ~Place() { leave(); }
    explicit operator bool() const { return room_ != nullptr; }

    /// Counts for one more key. When that one has its share already, the place is given back.
    void count_for(std::string_view key);
    /// Of the keys behind the first, counts for the one with this number only, 1 being the first of them.
    void keep_only(size_t number);
    /// Takes `more` places beside those that it has. False, and nothing has changed: a key has its share.
    bool grow(int32_t more, int64_t places);
    void leave();

   private:
    friend FairShare;
    using Cells = std::array<uint16_t, 2>;
    explicit Place(FairShare& room, int64_t free) : room_(&room), free_(free) {}
    FairShare* room_ = nullptr;
    int64_t free_ = 0;  // places, this one among them, when it was taken
    size_t size_ = 0;
    int32_t weight_ = 1;  // places
    std::array<Cells, kMostKeys> cells_{};
  };

  /// A place for `key` in a room of `places`, which may differ from call to call; none when the key has its share.
  Place enter(std::string_view key, int64_t places);
  /// A place for `key` while fewer than `places` are taken, whoever has them; and, for a key that has none, `beside`
  /// more.
  Place enter_or_beside(std::string_view key, int64_t places, int64_t beside);
  /// Places that are taken.
  int64_t taken() const { return taken_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kCells = 1024;
  using Cells = Place::Cells;

  Cells cells_of(std::string_view key) const;
  /// Counts `more`; how many the key had before.
  int64_t add(Cells cells, int32_t more);
  void subtract(Cells cells, int32_t count);

  const uint64_t seed_;
  std::atomic<int64_t> taken_{0};
  std::array<std::array<std::atomic<int32_t>, kCells>, 2> counts_{};
};

}  // namespace weir
