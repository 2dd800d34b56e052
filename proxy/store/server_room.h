#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "base/units.h"
#include "store/limit.h"

namespace weir::store {

/// How much of the memory that a server may use is left, when it evicts nothing.
enum class Room : uint8_t {
  plenty,
  tight,  // three quarters are taken: a client that brings very many new keys brings no more
  none,   // nine tenths are taken: no new keys
};

/// The new keys that each client network has brought to a limiter in the last minutes: one number for each of a fixed
/// count of cells, two for each network (a count-min sketch with a random seed). Any thread.
class NewKeys {
 public:
  NewKeys();
  /// True when the client of one of the quotas has brought as many as one network may.
  bool is_crowded(std::span<const Take> quotas, Time now);
  void add(const Take& take);

  static constexpr uint32_t kMost = 1000;  // of a network and limiter, in kPeriod
  static constexpr Duration kPeriod = std::chrono::minutes(10);

 private:
  static constexpr size_t kCells = 4096;
  using Row = std::array<std::atomic<uint32_t>, kCells>;
  struct Cells {
    std::atomic<uint32_t>& first;
    std::atomic<uint32_t>& second;
  };
  Cells cells_of(const Take& take);

  const uint64_t seed_;
  std::atomic<Duration::rep> ends_{0};  // the period
  std::array<Row, 2> counts_{};
};

/// Whether a server takes keys that it does not know yet. Its memory is read with a take, ten times a second at most,
/// for all threads. Any thread.
class ServerRoom {
 public:
  /// What scripts/take.lua is told.
  enum class Order : uint8_t {
    count = 0,       // all keys
    look = 1,        // reads the memory first and says what it found; with Room::none as `known_only`
    known_only = 2,  // new keys are left out
    look_known_only = 3,
  };
  Order order(std::span<const Take> quotas, Time now);
  /// The reply to a `look`. Returns true when a log line is due: room has become scarce, and no line told so lately.
  bool saw(Room room, Time now);
  /// A decision of the server: counts its new keys while room is scarce.
  void counted(std::span<const Take> quotas, const Decision& decision);

 private:
  static constexpr Duration kLookEvery = std::chrono::milliseconds(100);
  static constexpr Duration kTellEvery = std::chrono::minutes(1);

  std::atomic<Room> room_{Room::plenty};
  std::atomic<Duration::rep> next_look_{0};
  std::atomic<Duration::rep> next_told_{0};
  NewKeys new_keys_;
};

}  // namespace weir::store
