#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "base/units.h"

namespace weir::plugins {

/// The places of the probes under way, in one era of a half-open circuit. A missing result keeps no circuit half-open:
/// a probe that takes longer than the patience loses its place. One client keeps no circuit half-open either: a client
/// has at most as many places as remain free. After a probe of a client lost its place or was cancelled, that client
/// gets a further place only when no other client has asked during the patience. Any thread.
class ProbeRoom {
 public:
  explicit ProbeRoom(Duration patience) : patience_(patience) {}

  /// Takes one of `most` places for a client (0: unknown client), and returns the number of the place (31 bits).
  /// Nothing when no place is free for the client, or when `era` is over.
  std::optional<uint32_t> enter(uint32_t era, uint32_t most, uint64_t client, Time now);
  bool has_place(uint32_t era, uint32_t most, uint64_t client, Time now) const;
  enum class End : uint8_t {
    ordinary,
    without_result,  // the client cancelled the probe, or used up its own deadline
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
  // The last two clients that asked and are not slow, the newer first: when one turns slow, the other still counts.
  std::array<Asked, 2> askers_;
  std::vector<Probe> probes_;
  std::vector<uint64_t> slow_;  // clients with a probe that lost its place or was cancelled
};

}  // namespace weir::plugins
