#include "runtime/watchdog.h"

#include <doctest/doctest.h>
#include <pthread.h>
#include <signal.h>
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
  const auto& state = bench.events[0].thread_state;
  CHECK((state == "S" || state == "R"));  // it naps
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

TEST_CASE("watchdog: nobody waits for it while it tells") {
  HeldLoop worker;
  std::promise<void> telling, used;
  auto is_used = used.get_future();
  bool was_free = false;
  {
    Watchdog watchdog([&](const WatchdogEvent& event) {
      if (event.what != What::stuck || was_free) return;
      telling.set_value();
      was_free = is_used.wait_for(10s) == std::future_status::ready;
    });
    watchdog.use({.after = 20ms});
    watchdog.watch({0, worker.id, worker.meter, worker.stuck});
    worker.hold();
    telling.get_future().wait();
    watchdog.use({.after = 10s});
    watchdog.watch({1, worker.id, worker.meter, worker.stuck});
    used.set_value();
    worker.is_held = false;
  }
  CHECK(was_free);
}

TEST_CASE("watchdog: nobody waits for it while a thread does not tell its stack") {
  bool was_free = false;
  for (int attempt = 0; attempt < 3 && !was_free; ++attempt) {  // the machine may hold this thread up
    Bench bench(20ms);
    std::atomic<bool> blocks = false;
    bench.worker.run([&] {
      sigset_t all;
      sigfillset(&all);
      blocks = pthread_sigmask(SIG_BLOCK, &all, nullptr) == 0;
    });
    REQUIRE(blocks);
    bench.worker.hold();
    while (bench.worker.stuck.value() == 0) std::this_thread::yield();
    const auto begun = std::chrono::steady_clock::now();  // the stack is waited for until a second from now
    bench.watchdog.use({.after = 30ms});
    was_free = std::chrono::steady_clock::now() - begun < 500ms;
    REQUIRE(bench.until_told(1));
    CHECK(bench.events[0].stack == "");
    bench.worker.is_held = false;
  }
  CHECK(was_free);
}

}  // namespace weir::runtime
