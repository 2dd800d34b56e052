#include "runtime/watchdog.h"

#include <algorithm>
#include <utility>

#include "base/thread.h"
#include "runtime/thread_stack.h"

namespace weir::runtime {

namespace {

using std::chrono::steady_clock;

constexpr int kLooks = 5;  // within the time after which a worker counts as stuck
constexpr Duration kPatience = std::chrono::seconds(1);

}  // namespace

void decode(config::Reader& r, WatchdogSettings& out) {
  r.shorthand("after");
  r.optional("after", out.after, "how long a worker may take for one turn of its event loop; 0 = no watchdog");
  r.optional("action", out.action, "log: an event and a counter; abort: the process ends, to be started again");
}

Watchdog::Watchdog(std::function<void(const WatchdogEvent&)> tell) : tell_(std::move(tell)) {
  prepare_stacks();
  thread_ = start_thread("weir-watchdog", TakesSignals::no, [this] { run(); });
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
  std::unique_lock lock(mutex_);
  while (!must_end_) {
    if (settings_.after <= Duration{} || workers_.empty()) {
      changed_.wait(lock);
      continue;
    }
    if (changed_.wait_for(lock, interval()) == std::cv_status::no_timeout) continue;
    for (auto& finding : look()) {
      if (must_end_) return;
      lock.unlock();  // a stack takes up to a second
      tell(finding);
      lock.lock();
    }
  }
}

std::vector<Watchdog::Finding> Watchdog::look() {
  std::vector<Finding> findings;
  for (auto& watched : workers_) {
    const auto since = watched.since;
    if (const auto what = look(watched))
      findings.push_back(
          {{.what = *what, .worker = watched.worker.index, .action = settings_.action}, watched.worker.thread, since});
  }
  return findings;
}

std::optional<WatchdogEvent::What> Watchdog::look(Watched& watched) const {
  const uint64_t beat = watched.worker.turns.beat();
  if (beat != watched.beat || (beat & 1) == 0) {
    watched.beat = beat;
    watched.looks = 0;
    watched.since = steady_clock::now();
    return std::exchange(watched.is_stuck, false) ? std::optional(WatchdogEvent::What::recovered) : std::nullopt;
  }
  ++watched.looks;
  if (watched.is_stuck || watched.looks * interval() < settings_.after) return std::nullopt;
  watched.is_stuck = true;
  watched.worker.stuck_turns.add();
  return WatchdogEvent::What::stuck;
}

void Watchdog::tell(Finding& finding) const {
  auto& event = finding.event;
  if (event.what == WatchdogEvent::What::stuck) {
    event.thread_state = thread_state(finding.thread);
    event.stack = stack_of(finding.thread, kPatience);
  }
  event.lasted = steady_clock::now() - finding.since;
  tell_(event);
}

}  // namespace weir::runtime
