#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "base/units.h"

namespace weir::plugins {

/// The places of probes under way, of one era of a circuit. A result that never comes keeps no circuit from closing: a
/// probe that takes longer than the room's patience loses its place to others. So does no client: each may have fewer
/// places than are free, and one whose probe lost its place, or was given up, gets another only when nobody else has
/// asked for as long as the patience.
/// Any thread.
class ProbeRoom {
 public:
  explicit ProbeRoom(Duration patience) : patience_(patience) {}

  /// Takes one of `most` places for a client (0: it isn't known), and gives the place a number, which fits 31 bits.
  /// Nothing when there is none, or when `era` is over.
  std::optional<uint32_t> enter(uint32_t era, uint32_t most, uint64_t client, Time now);
  bool has_place(uint32_t era, uint32_t most, uint64_t client, Time now) const;
  enum class End : uint8_t {
    ordinary,
    without_result,  // as its client had it
  };
  void leave(uint32_t era, uint32_t number, End end);
  uint32_t count(uint32_t era) const;

 private:
  struct Probe {
    uint32_t number;
    uint64_t client;
    Time since;
  };
  static constexpr size_t kMostSlow = 64;

  bool is_overdue(const Probe& probe, Time now) const { return now - probe.since >= patience_; }
  bool may_enter(uint32_t era, uint32_t most, uint64_t client, Time now) const;
  void end_overdue(Time now);
  bool is_slow(uint64_t client) const;
  void mark_slow(uint64_t client);
  void note_asker(uint64_t client, Time now);

  const Duration patience_;
  mutable std::mutex mutex_;  // guards what follows
  uint32_t era_ = 0;
  uint32_t numbers_ = 0;
  struct Asked {
    uint64_t client = 0;
    Time time = Time::min();
  };
  // The last two clients that came and aren't slow, the newer first: when one turns slow, the other still counts.
  std::array<Asked, 2> askers_;
  std::vector<Probe> probes_;
  std::vector<uint64_t> slow_;  // clients whose probes lost their places, or were given up
};

}  // namespace weir::plugins
