#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "async/loop.h"

namespace weir {

/// A loop whose time is in the test's hand.
struct LoopBench {
  ManualClock clock;
  Loop loop{clock};

  /// Until the loop is quiet: what is at hand is handled, and what that brings about.
  void settle() {
    for (int turn = 0; turn < 10; ++turn) loop.poll();
  }
  /// Lets time pass in one leap.
  void advance(Duration by) {
    clock.advance(by);
    loop.poll();
    loop.fire_timers();
    settle();
  }
  /// Lets time pass step by step, for what looks at the clock again and again.
  void pass(Duration total, Duration step = std::chrono::seconds(1)) {
    for (Duration passed{}; passed < total; passed += step) advance(step);
  }
  /// For what other threads or the kernel do in their own time: turns the loop until it is so, 5 s at most.
  template <class Condition>
  bool until(Condition is_so) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (!is_so()) {
      if (std::chrono::steady_clock::now() > end) return false;
      loop.poll();
    }
    return true;
  }
};

/// Writes its name down when it goes: who was destroyed, and in which order.
struct Mourned {
  std::vector<std::string>* log;
  std::string name;

  Mourned(std::vector<std::string>& log, std::string name) : log(&log), name(std::move(name)) {}
  Mourned(const Mourned&) = delete;
  Mourned& operator=(const Mourned&) = delete;
  ~Mourned() { log->push_back(name); }
};

using Names = std::vector<std::string>;

}  // namespace weir
