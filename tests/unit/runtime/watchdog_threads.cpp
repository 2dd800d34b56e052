#include "runtime/watchdog.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <future>

#include "async/loop.h"
#include "config/reader.h"

namespace weir::runtime {
namespace {

using namespace std::chrono_literals;
using What = WatchdogEvent::What;

/// A loop on a thread of its own, which the test can hold.
struct HeldLoop {
  HeldLoop()
      : thread([this] {
          id = ::gettid();
          loop.measure(meter);
          loop.run();
        }) {
    run([] {});
  }
  ~HeldLoop() {
    loop.post([this] { loop.stop(); });
    thread.join();
  }
  /// On the loop's thread.
  void run(std::function<void()> what) {
    std::promise<void> done;
    loop.post([&] {
      what();
      done.set_value();
    });
    done.get_future().wait();
  }
  void hold() {
    loop.post([this] {
      while (is_held) std::this_thread::sleep_for(1ms);
    });
  }

  SteadyClock clock;
  TurnMeter meter;
  Counter stuck;
  Loop loop{clock};
  std::atomic<bool> is_held = true;
  std::atomic<pid_t> id = 0;
  std::thread thread;
};

struct Bench {
  explicit Bench(Duration after) {
    watchdog.use({.after = after});
    watchdog.watch({0, worker.id, worker.meter, worker.stuck});
  }
  void tell(const WatchdogEvent& event) {
    const std::lock_guard lock(mutex);
    events.push_back(event);
    changed.notify_one();
  }
  bool until_told(size_t count) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, 20s, [&] { return events.size() >= count; });
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<WatchdogEvent> events;
  HeldLoop worker;
  Watchdog watchdog{[this](const WatchdogEvent& event) { tell(event); }};
};

}  // namespace

TEST_CASE("watchdog: a loop that does not finish its turn is told once, with its stack, and again when it goes on") {
  Bench bench(50ms);
  bench.worker.hold();
  REQUIRE(bench.until_told(1));
  std::this_thread::sleep_for(200ms);  // it is not told again
  bench.worker.is_held = false;
  REQUIRE(bench.until_told(2));
  REQUIRE(bench.events.size() == 2);
  CHECK(bench.events[0].what == What::stuck);
  CHECK(bench.events[0].stack.find("Loop::deliver") != std::string::npos);
  CHECK(bench.events[0].thread_state == "S");
  CHECK(bench.events[1].what == What::recovered);
  CHECK(bench.events[1].lasted >= 200ms);
  CHECK(bench.worker.stuck.value() == 1);
}

TEST_CASE("watchdog: a loop that waits, or works in short turns, is not stuck") {
  Bench bench(50ms);
  const auto end = std::chrono::steady_clock::now() + 300ms;
  while (std::chrono::steady_clock::now() < end) bench.worker.run([] { std::this_thread::sleep_for(2ms); });
  std::this_thread::sleep_for(200ms);
  CHECK(bench.events.empty());
}

TEST_CASE("watchdog: with 0 nobody watches, and a new limit holds at once") {
  Bench bench(0ms);
  bench.worker.hold();
  std::this_thread::sleep_for(100ms);
  CHECK(bench.events.empty());
  bench.watchdog.use({.after = 20ms, .action = StuckAction::abort});
  REQUIRE(bench.until_told(1));
  CHECK(bench.events[0].action == StuckAction::abort);
  bench.worker.is_held = false;
  CHECK(bench.until_told(2));
}

}  // namespace weir::runtime
