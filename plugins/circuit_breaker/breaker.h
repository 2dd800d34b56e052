#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plugins/circuit_breaker/circuit.h"
#include "plugins/circuit_breaker/probe_room.h"
#include "plugins/circuit_breaker/window.h"

namespace weir::plugins {

/// One circuit: closed lets all through and counts, open refuses, half-open lets a few probes through. Its state is one
/// atomic word, and its number grows with every change: what began under an older number counts no more and holds no
/// place. Found again by a reload in its slot, whatever has changed: thresholds, window and peers come with each call,
/// so that a circuit keeps its state, and one that an operator forced stays forced. Any thread; on the way of a request
/// no lock is taken but where the state changes, or is half-open.
class Breaker {
 public:
  struct Settings {
    std::string identity;  // what the circuit is, in all snapshots and instances
  };
  static bool compatible(const Settings&, const Settings&) { return true; }

  enum class State : uint8_t { closed, open, half_open, forced_open, forced_closed };

  explicit Breaker(const Settings& settings);
  Breaker(const Breaker&) = delete;
  Breaker& operator=(const Breaker&) = delete;

  // A circuit while it lives, newest last: the log and the metrics have the newest one's name.
  void attach(const Circuit& circuit);
  void detach(const Circuit& circuit);
  /// The attempts of the last while, shared by all circuits with a window of this length.
  std::shared_ptr<Window> window_of(Duration length);

  /// A ticket for `settle`, or circuit_open.
  Result<uint64_t> admit(const Circuit& circuit, Time now, const Asker& asker = {});
  bool would_admit(const BreakerSettings& settings, Time now, const Asker& asker = {}) const;
  Duration refuses_for(Time now) const;
  /// Frees the ticket's place. Whether it counted as a success.
  bool settle(const Circuit& circuit, uint64_t ticket, Verdict verdict, Time now);
  /// The success that was settled was none.
  void spoil(const Circuit& circuit, uint64_t ticket, Time now);

  /// By an operator: forced_open, forced_closed, or closed: automatic again, by way of half-open if it was open.
  void force(State state, Time now);
  /// A health check says that what failed is well again: begins to count anew, and ends the pause of an open circuit.
  void recovered(Time now);
  /// Half-open: what is let through are probes.
  bool is_probing() const { return word_.load(std::memory_order_relaxed).state == State::half_open; }
  /// Others have found it to fail: a closed circuit turns half-open.
  void doubt(Time now, std::string cause);

  /// What the admin API shows.
  struct Status {
    State state = State::closed;
    Time since = Time::min();  // min: from the start
    std::string cause;
    Window::Counts counts;
    uint32_t probes = 0;  // under way
    Duration refuses_for{};
  };
  Status status(Time now) const;
  State state() const { return word_.load(std::memory_order_acquire).state; }
  const std::string& identity() const { return settings_.identity; }

 private:
  struct Word {
    State state = State::closed;
    uint8_t successes = 0;  // of probes, in a row
    uint16_t unused = 0;    // compared with the rest
    uint32_t era = 0;
  };
  static_assert(std::atomic<Word>::is_always_lock_free);

  static Error refuse(const Circuit& circuit);
  // A ticket: the era; of a probe, its needs and its place's number, too.
  static uint64_t ticket_of(uint32_t era, Needs needs, uint32_t place) {
    return era | uint64_t{needs == Needs::client} << 32 | uint64_t{place} << 33;
  }
  static uint32_t era_of(uint64_t ticket) { return static_cast<uint32_t>(ticket); }
  static Needs needs_of(uint64_t ticket) { return ticket >> 32 & 1 ? Needs::client : Needs::endpoint; }
  static uint32_t place_of(uint64_t ticket) { return static_cast<uint32_t>(ticket >> 33); }
  const ProbeRoom& room(Needs needs) const { return needs == Needs::client ? clients_probes_ : probes_; }
  ProbeRoom& room(Needs needs) { return needs == Needs::client ? clients_probes_ : probes_; }
  bool settle_probe(const Circuit& circuit, Word seen, Verdict verdict, Time now);
  void open_if_bad(const Circuit& circuit, Word seen, Time now);
  // Nothing happens when somebody else has changed it since it was `seen`.
  void open(const Circuit& circuit, Word seen, Time now, std::string cause);
  bool change(Word seen, Word to, Time now, std::string cause);
  void become(Word to, Time now, std::string cause);  // with the mutex held
  void clear_windows();                               // with the mutex held
  Duration rest(const BreakerSettings& settings);     // with the mutex held

  const Settings settings_;
  std::atomic<Word> word_{Word{}};
  ProbeRoom probes_{std::chrono::seconds(5)};
  ProbeRoom clients_probes_{std::chrono::seconds(1)};  // those that a client may keep from an answer
  std::atomic<Time> until_{Time::min()};               // while open: when it turns half-open
  mutable std::mutex mutex_;                           // who changes the state, and guards what follows
  Time since_ = Time::min();
  std::string cause_;
  int failed_rests_ = 0;  // how often in a row it was too early; -1: the first is still to come
  uint64_t dice_;
  std::vector<const Circuit*> circuits_;
  std::vector<std::weak_ptr<Window>> windows_;  // newest last
};

std::string_view name_of(Breaker::State state);  // "closed", "open", "half_open", whether or not it is forced
bool is_forced(Breaker::State state);

}  // namespace weir::plugins
