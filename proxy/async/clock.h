#pragma once

#include <chrono>

#include "base/units.h"

namespace weir {

/// Where time comes from. Always injected: the process has a SteadyClock, tests turn a ManualClock by hand.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() const = 0;                                    // monotonic
  virtual std::chrono::system_clock::time_point wall() const = 0;  // for dates and logs
};

class SteadyClock : public Clock {
 public:
  Time now() const override { return std::chrono::steady_clock::now(); }
  std::chrono::system_clock::time_point wall() const override { return std::chrono::system_clock::now(); }
};

class ManualClock : public Clock {
 public:
  Time now() const override { return Time(std::chrono::hours(1)) + passed_; }
  std::chrono::system_clock::time_point wall() const override {
    using std::chrono::system_clock;
    return system_clock::time_point(std::chrono::duration_cast<system_clock::duration>(kStart + passed_));
  }
  void advance(Duration by) { passed_ += by; }

 private:
  static constexpr Duration kStart = std::chrono::seconds(784111777);  // Sun, 06 Nov 1994 08:49:37 GMT (RFC 9110)
  Duration passed_{};
};

}  // namespace weir
