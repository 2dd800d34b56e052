#include "runtime/workers.h"

#include <cstdlib>
#include <mutex>
#include <string>
#include <system_error>

#include "base/log.h"

namespace weir::runtime {

namespace {

/// On the watchdog's thread.
void tell_of_stuck(const WatchdogEvent& event) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(event.lasted).count();
  if (event.what == WatchdogEvent::What::recovered)
    return log::warn("worker_recovered", {{"worker", event.worker}, {"stuck_ms", ms}});
  const bool ends = event.action == StuckAction::abort;
  log::error("worker_stuck", {{"worker", event.worker},
                              {"stuck_ms", ms},
                              {"thread", event.thread_state},
                              {"stack", event.stack},
                              {"action", ends ? "abort" : "log"}});
  if (!ends) return;
  log::finish(std::chrono::seconds(1));
  std::abort();
}

}  // namespace

void Workers::start(unsigned count, config::Problems& problems) {
  std::string who = "the watchdog";
  try {
    if (!watchdog_) watchdog_ = std::make_unique<Watchdog>(tell_of_stuck);
    while (workers_.size() < count) {
      who = "worker " + std::to_string(workers_.size() + 1) + " of " + std::to_string(count);
      auto worker = std::make_unique<Worker>(static_cast<unsigned>(workers_.size()), lasting_, console_, renderer_);
      worker->start();
      workers_.push_back(std::move(worker));
    }
  } catch (const std::system_error& error) {
    config::Location at;
    at.path = "workers";
    problems.add(
        at, who + " can't be started: " + error.what(),
        "raise the limit that was met (threads: ulimit -u, pids.max, TasksMax; files: ulimit -n), or set fewer "
        "workers");
  }
}

void Workers::end() {
  watchdog_.reset();
  workers_.clear();
}

void Workers::watch(const WatchdogSettings& settings) {
  for (const auto& worker : workers_)
    watchdog_->watch({worker->index(), worker->thread_id(), worker->turns(), worker->stuck_turns()});
  watchdog_->use(settings);
}

Task<Load> Workers::total_load() {
  auto total = std::make_shared<std::pair<std::mutex, Load>>();  // shared with the letters of the workers
  co_await ask([&](Worker& worker, Worker::Done done) {
    worker.report([total, done](Load load) {
      {
        const std::lock_guard lock(total->first);
        total->second.connections += load.connections;
        total->second.exchanges += load.exchanges;
        total->second.background += load.background;
      }
      done();
    });
  });
  co_return total->second;
}

}  // namespace weir::runtime
