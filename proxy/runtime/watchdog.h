#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "async/turn_meter.h"
#include "runtime/watchdog_settings.h"

namespace weir::runtime {

struct WatchdogEvent {
  enum class What : uint8_t { stuck, recovered };
  What what = What::stuck;
  unsigned worker = 0;
  Duration lasted{};         // as far as is known; not more than the turn has lasted
  std::string stack;         // what the thread was doing, innermost first; empty when the thread did not answer
  std::string thread_state;  // the kernel's letter: R runs, S sleeps, D waits for a disk, t is traced
  StuckAction action = StuckAction::log;
};

/// A thread that notices workers which do not finish a loop turn. Looks five times per `after`, at most once a second,
/// and counts looks, not time: a process that was stopped as a whole has no stuck worker. All members: any thread; none
/// waits for a stack or for `tell`.
class Watchdog {
 public:
  struct Worker {
    unsigned index = 0;
    pid_t thread = 0;
    const TurnMeter& turns;
    Counter& stuck_turns;  // only the watchdog adds
  };
  /// `tell` is called on the watchdog's thread, without a lock. Throws std::system_error when the kernel refuses a
  /// thread.
  explicit Watchdog(std::function<void(const WatchdogEvent&)> tell);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog();

  void use(const WatchdogSettings& settings);
  /// Until the watchdog is destroyed, and as long its thread must run; a worker that is watched already is known by its
  /// index.
  void watch(const Worker& worker);

 private:
  struct Watched {
    Worker worker;
    uint64_t beat = 0;
    unsigned looks = 0;  // that found the same turn
    std::chrono::steady_clock::time_point since;
    bool is_stuck = false;
  };
  /// What a look has found, to be told without the lock.
  struct Finding {
    WatchdogEvent event;
    pid_t thread;
    std::chrono::steady_clock::time_point since;
  };
  void run();
  std::vector<Finding> look();
  std::optional<WatchdogEvent::What> look(Watched& watched) const;
  void tell(Finding& finding) const;
  Duration interval() const;

  const std::function<void(const WatchdogEvent&)> tell_;
  std::mutex mutex_;
  std::condition_variable changed_;
  WatchdogSettings settings_{.after = Duration{}};
  std::vector<Watched> workers_;
  bool must_end_ = false;
  std::thread thread_;
};

}  // namespace weir::runtime
