#include "runtime/watchdog.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>

#include "runtime/thread_stack.h"

namespace weir::runtime {

namespace {

using std::chrono::steady_clock;

constexpr int kLooks = 5;  // within the time after which a worker counts as stuck
constexpr Duration kPatience = std::chrono::seconds(1);

/// Signals are the main thread's business.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

void decode(config::Reader& r, WatchdogSettings& out) {
  r.shorthand("after");
  r.optional("after", out.after, "how long a worker may take for one turn of its event loop; 0 = no watchdog");
  r.optional("action", out.action, "log: an event and a counter; abort: the process ends, to be started again");
}

Watchdog::Watchdog(std::function<void(const WatchdogEvent&)> tell) : tell_(std::move(tell)) {
  prepare_stacks();
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "weir-watchdog");
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    must_end_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Watchdog::use(const WatchdogSettings& settings) {
  {
    const std::lock_guard lock(mutex_);
    settings_ = settings;
  }
  changed_.notify_one();
}

void Watchdog::watch(const Worker& worker) {
  {
    const std::lock_guard lock(mutex_);
    const auto is_it = [&](const Watched& watched) { return watched.worker.index == worker.index; };
    if (std::ranges::any_of(workers_, is_it)) return;
    workers_.push_back({worker});
  }
  changed_.notify_one();
}

Duration Watchdog::interval() const {
  return std::clamp<Duration>(settings_.after / kLooks, std::chrono::milliseconds(1), std::chrono::seconds(1));
}

void Watchdog::run() {
  block_signals();
  std::unique_lock lock(mutex_);
  while (!must_end_) {
    if (settings_.after <= Duration{} || workers_.empty()) {
      changed_.wait(lock);
      continue;
    }
    if (changed_.wait_for(lock, interval()) == std::cv_status::no_timeout) continue;
    for (auto& watched : workers_) look(watched);
  }
}

void Watchdog::look(Watched& watched) {
  const auto now = steady_clock::now();
  const uint64_t beat = watched.worker.turns.beat();
  if (beat != watched.beat || (beat & 1) == 0) {
    if (watched.is_stuck)
      tell_({.what = WatchdogEvent::What::recovered, .worker = watched.worker.index, .lasted = now - watched.since});
    watched.beat = beat;
    watched.looks = 0;
    watched.since = now;
    watched.is_stuck = false;
    return;
  }
  ++watched.looks;
  if (!watched.is_stuck && watched.looks * interval() >= settings_.after) found_stuck(watched);
}

void Watchdog::found_stuck(Watched& watched) {
  watched.is_stuck = true;
  watched.worker.stuck_turns.add();
  const pid_t thread = watched.worker.thread;
  WatchdogEvent event{.worker = watched.worker.index, .thread_state = thread_state(thread), .action = settings_.action};
  event.stack = stack_of(thread, kPatience);
  event.lasted = steady_clock::now() - watched.since;
  tell_(event);
}

}  // namespace weir::runtime
